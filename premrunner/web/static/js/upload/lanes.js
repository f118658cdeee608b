// Browsers open six connections to a host; two are left for the rest of the site.
const LANES = 4;

let free = LANES;
const waiting = [];

/** Run one of the things of which only so many shall run at a time, over all uploads of this page. */
export async function inLane(run) {
  if (free) free -= 1;
  else await new Promise((resolve) => waiting.push(resolve));
  try {
    return await run();
  } finally {
    const next = waiting.shift();
    if (next) next();
    else free += 1;
  }
}
