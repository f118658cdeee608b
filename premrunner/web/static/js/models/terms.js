import { getJson } from "../lib/request.js";

const URL = "/api/import-options";

/** Return what this server takes now, with a way to ask whether an adapter's base is here, or can be fetched. */
export async function fetchTerms() {
  return { ...(await getJson(URL)), findBase };
}

const findBase = (name) => getJson(`${URL}?base=${encodeURIComponent(name)}`);
