import koffi from 'koffi';
import { describe, expect, it } from 'vitest';
import { readFlockError } from '../../src/os/native.js';

const numbers = koffi.os.errno;

describe('a flock that fails', () => {
  it.each(['EAGAIN', 'EINTR'])('is somebody else’s, or to be tried again: %s', (name) => {
    expect(readFlockError(numbers[name] ?? 0, numbers)).toBe(false);
  });

  it.each(['ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'ENOLCK'])('is none on this file system: %s', (name) => {
    expect(readFlockError(numbers[name] ?? 0, numbers)).toBeNull();
  });

  it.each(['EBADF', 'EIO'])('is a fault of its own: %s', (name) => {
    expect(() => readFlockError(numbers[name] ?? 0, numbers)).toThrow(`flock failed: ${name}`);
  });

  it('is named by its number where it has no name', () => {
    expect(() => readFlockError(9999, numbers)).toThrow('flock failed: 9999');
  });
});
