/** Parse CSV (RFC 4180) that arrives in pieces. */
export class CsvParser {
  #row: string[] = [];
  #cell = "";
  #isQuoted = false;
  /** Whether the last character was a quote in a quoted cell: its end, or the first of two. */
  #mayEnd = false;

  /** Return the rows that a piece completes. */
  push(piece: string): string[][] {
    const rows: string[][] = [];
    for (const character of piece) {
      if (this.#mayEnd) {
        this.#mayEnd = false;
        if (character === '"') {
          this.#cell += '"';
          continue;
        }
        this.#isQuoted = false;
      }
      if (this.#isQuoted) {
        if (character === '"') this.#mayEnd = true;
        else this.#cell += character;
      } else if (character === '"') this.#isQuoted = true;
      else if (character === ",") this.#endCell();
      else if (character === "\n") {
        this.#endCell();
        rows.push(this.#row);
        this.#row = [];
      } else if (character !== "\r") this.#cell += character;
    }
    return rows;
  }

  #endCell(): void {
    this.#row.push(this.#cell);
    this.#cell = "";
  }
}
