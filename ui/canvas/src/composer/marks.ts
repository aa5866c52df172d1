/** The colour and the shape of each type of message, the same wherever it is drawn. */

// Paul Tol's "bright" scheme, distinct for all kinds of colour vision: https://doi.org/10.5281/zenodo.3381071
const COLOURS = ["#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#888888"];
const SHAPES = ["circle", "square", "diamond", "triangle"] as const;

export interface Mark {
  colour: string;
  shape: (typeof SHAPES)[number];
}

export type Marks = ReadonlyMap<string, Mark>;

/** Marks of types in the order given; colour and shape together stay distinct for 28 types. */
export function marksOf(types: Iterable<string>): Marks {
  const marks = new Map<string, Mark>();
  for (const type of types) {
    if (marks.has(type)) continue;
    const number = marks.size;
    marks.set(type, {
      colour: COLOURS[number % COLOURS.length] ?? "#888888",
      shape: SHAPES[number % SHAPES.length] ?? "circle",
    });
  }
  return marks;
}

export const PLAIN_MARK: Mark = { colour: "#888888", shape: "circle" };
