/** What a planted bug is, and whether its places are still in the source. The program knows nothing of them. */
import { readText } from "../tidy/tree.ts";

export interface Edit {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** A change of one or two places of the source, made as a process loads it. */
export interface PlantedBug {
  readonly name: string;
  readonly edits: readonly Edit[];
}

export const bug = (name: string, file: string, find: string, replace: string): PlantedBug => ({
  name,
  edits: [{ file, find, replace }],
});

/** The bugs whose places are not there exactly once, with the file. */
export const lostPlaces = (bugs: readonly PlantedBug[]): string[] =>
  bugs.flatMap(({ name, edits }) =>
    edits
      .filter(({ file, find }) => readText(file).split(find).length !== 2)
      .map(({ file }) => `${name}: ${file}`),
  );
