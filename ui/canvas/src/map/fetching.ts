/** Requests of the map that go out again where the network of this machine has just changed. */

const AGAIN_AFTER_MS = [500, 2000];

/**
 * Fetch, and again where no answer comes at all: browsers drop what they are loading when a container
 * of this machine starts or ends. Throws as `fetch` does, at last.
 */
export async function fetched(address: URL | string): Promise<Response> {
  for (const pause of AGAIN_AFTER_MS) {
    try {
      return await fetch(address);
    } catch {
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
  return fetch(address);
}
