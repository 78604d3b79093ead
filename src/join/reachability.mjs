// @ts-check
/** Whether the gateway is reached, said when it changes and not for each call. */
export class Reachability {
  /** @type {string | undefined} what is wrong now; nothing at first, and once it is reached */
  #problem;
  #name;
  #say;

  /**
   * @param {string} name the gateway's URL
   * @param {(line: string) => void} say
   */
  constructor(name, say) {
    this.#name = name;
    this.#say = say;
  }

  /** It answered. */
  reached() {
    if (this.#problem !== undefined) this.#say(`${this.#name} is reached again`);
    this.#problem = undefined;
  }

  /** @param {string} problem why it did not */
  failed(problem) {
    if (this.#problem !== problem) this.#say(problem);
    this.#problem = problem;
  }
}
