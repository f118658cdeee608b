const EVERY_MS = 1500;

/**
 * While nothing can be asked yet, read the page again and again and take over the parts that tell how far it is.
 * @param {string[]} selectors the parts
 * @param {() => void} ready called once when a model is there
 */
export function watchSetup(selectors, ready) {
  const setup = document.querySelector("#setup");
  if (!setup || setup.dataset.isReady === "true") return;
  setTimeout(async () => {
    if (!document.hidden) await takeOver(selectors);
    if (document.querySelector("#setup")?.dataset.isReady === "true") ready();
    else watchSetup(selectors, ready); // Not when a conversation has begun: then there is nothing to tell any longer.
  }, EVERY_MS);
}

async function takeOver(selectors) {
  try {
    const response = await fetch(location.href);
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
    for (const selector of selectors) {
      const [now, next] = [document.querySelector(selector), fresh.querySelector(selector)];
      if (now && next && now.outerHTML !== next.outerHTML) now.replaceWith(document.adoptNode(next));
    }
  } catch {
    // The server is away for a moment; the header says so.
  }
}
