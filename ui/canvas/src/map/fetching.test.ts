import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { fetched } from "./fetching";

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("what gets no answer is asked for again", async () => {
  const asked = vi.fn<() => Promise<Response>>();
  asked.mockRejectedValueOnce(new TypeError("Failed to fetch")).mockResolvedValue(new Response("tile"));
  vi.stubGlobal("fetch", asked);
  const answer = fetched("tiles/1/2/3.png");
  await vi.runAllTimersAsync();
  expect(await (await answer).text()).toBe("tile");
  expect(asked).toHaveBeenCalledTimes(2);
});

test("an answer that refuses is an answer", async () => {
  const asked = vi.fn(() => Promise.resolve(new Response("no pixels", { status: 404 })));
  vi.stubGlobal("fetch", asked);
  expect((await fetched("tiles/1/2/3.png")).status).toBe(404);
  expect(asked).toHaveBeenCalledTimes(1);
});

test("a page that is gone is not asked for ever", async () => {
  const asked = vi.fn(() => Promise.reject(new TypeError("Failed to fetch")));
  vi.stubGlobal("fetch", asked);
  const refused = expect(fetched("tiles/1/2/3.png")).rejects.toThrow("Failed to fetch");
  await vi.runAllTimersAsync();
  await refused;
  expect(asked).toHaveBeenCalledTimes(3);
});
