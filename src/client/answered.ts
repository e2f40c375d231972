/**
 * The diagnostics channel of node on which the client says what each answer calls its server: the `Server` header, as it
 * came, and undefined if there is none. What is said there changes nothing for whoever asked.
 */
export const ANSWERED = 'codex-authd.answered';
