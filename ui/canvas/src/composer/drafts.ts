/**
 * What the page may not have got yet, kept in the browser: a reload or a broken connection loses
 * nothing.
 */

import type { PipelineDocument, Revision } from "./types";

const PREFIX = "eoloom-draft:";

export function keepDraft(revision: Revision): void {
  try {
    localStorage.setItem(`${PREFIX}${revision.draft}`, JSON.stringify(revision));
  } catch {
    // Storage is full or not allowed: the page still has all but the last moments.
  }
}

/** Forget what the page has stored. */
export function dropDraft(draft: string, stored: number): void {
  const kept = readDraft(draft);
  if (kept && kept.revision <= stored) localStorage.removeItem(`${PREFIX}${draft}`);
}

export function readDraft(draft: string): { revision: number; document: PipelineDocument } | null {
  try {
    const text = localStorage.getItem(`${PREFIX}${draft}`);
    if (!text) return null;
    const kept = JSON.parse(text) as Revision;
    const { document, revision } = kept;
    const fine =
      Number.isInteger(revision) &&
      typeof document?.nodes === "object" &&
      Array.isArray(document.links) &&
      typeof document.positions === "object";
    return fine ? { revision, document } : null;
  } catch {
    return null;
  }
}
