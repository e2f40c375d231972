import * as v from 'valibot';
import type { OpenFile } from '../os/file-system.js';
import { writeAll } from './durable.js';
import { unknownVersion } from './unknown-version.js';

/** What is about to be done: written before a refresh token is sent. */
export interface Intent {
  /** Of the refresh token that is spent. */
  readonly spent: string;
  readonly startedAtMs: number;
}

/** What a journal tells. */
export interface Written {
  /** What had come of the answer's body, as text; empty if nothing. */
  readonly answer: string;
  /** Whether that outlives a loss of power: who wrote it may have been killed before it was synced. */
  readonly isDurable: boolean;
  /** When its rotation began, in milliseconds since the epoch. */
  readonly startedAtMs: number;
}

/** The intent has the first block for itself; the answer's room begins behind it. */
export const ANSWER_AT = 4096;
/** The largest answer that is taken from the token endpoint has its room. */
const ANSWER_ROOM = 1024 * 1024;
const EMPTY_ROOM = new Uint8Array(ANSWER_ROOM);
/** An answer has 4 to 8 kB: one piece is enough to read it. */
const PIECE_BYTES = 16 * 1024;

const IntentSchema = v.object({ spent: v.string(), startedAtMs: v.number() });

/** Writes the intent into an empty file, with the room for the answer behind it, and syncs it. */
export async function writeIntent(file: OpenFile, intent: Intent): Promise<void> {
  const head = Buffer.alloc(ANSWER_AT, ' ');
  head.write(JSON.stringify(intent));
  await writeAll(file, head);
  await writeAll(file, EMPTY_ROOM, ANSWER_AT);
  await file.sync();
}

/**
 * Null if the head is not whole: it was never synced, and nothing had been sent when its writer died. Where the file can be
 * written, what is in it is written once more: if a sync of it has failed, the kernel takes it for written ever since,
 * and says nothing of that to those who sync it later.
 *
 * @throws the file system's error; AuthdError `storage` if it is of a version that is not known
 */
export async function readWritten(
  file: OpenFile,
  path: string,
  isWritable: boolean,
): Promise<Written | null> {
  const head = parse(new TextDecoder().decode(await readPiece(file, 0, ANSWER_AT)));
  if (head === null) return null;
  const intent = v.safeParse(IntentSchema, head);
  if (!intent.success) throw unknownVersion(path);
  const answer = await readAnswer(file);
  const isDurable = await makeDurable(file, isWritable ? answer : null);
  return { answer: new TextDecoder().decode(answer), startedAtMs: intent.output.startedAtMs, isDurable };
}

async function makeDurable(file: OpenFile, answer: Uint8Array | null): Promise<boolean> {
  try {
    if (answer !== null && answer.length > 0) await writeAll(file, answer, ANSWER_AT);
    await file.sync();
    return true;
  } catch {
    return false;
  }
}

/** What was recorded: all that stands before the first zero byte, which no JSON contains. */
async function readAnswer(file: OpenFile): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for (let at = ANSWER_AT; at < ANSWER_AT + ANSWER_ROOM; at += PIECE_BYTES) {
    const piece = await readPiece(file, at, PIECE_BYTES);
    const end = piece.indexOf(0);
    pieces.push(end === -1 ? piece : piece.subarray(0, end));
    if (end !== -1 || piece.length < PIECE_BYTES) break;
  }
  return Buffer.concat(pieces);
}

async function readPiece(file: OpenFile, position: number, size: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(size);
  let length = 0;
  for (let count = -1; count !== 0 && length < size; length += count) {
    count = await file.read(bytes.subarray(length), position + length);
  }
  return bytes.subarray(0, length);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
