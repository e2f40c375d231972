/** Who publishes in a directory. */
export interface DirectoryClaim {
  readonly account: string;
  /** As it was named. */
  readonly directory: string;
}

/** Who has which directory, among all accounts that one daemon keeps: two in one would undo each other. */
export class ClaimedDirectories {
  readonly #claims = new Map<string, DirectoryClaim>();

  /** Claims a directory by its real path; returns who has it: another claim than this if it is taken. */
  claim(realPath: string, claim: DirectoryClaim): DirectoryClaim {
    const holder = this.#claims.get(realPath) ?? claim;
    this.#claims.set(realPath, holder);
    return holder;
  }

  release(realPath: string, claim: DirectoryClaim): void {
    if (this.#claims.get(realPath) === claim) this.#claims.delete(realPath);
  }
}
