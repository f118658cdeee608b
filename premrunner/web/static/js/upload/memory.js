const PREFIX = "upload ";

/** What this browser remembers of its uploads, so that a reload loses none: which files they are, what they shall become. */
export const remember = (id, value) => write(PREFIX + id, JSON.stringify(value));

/** Return what is remembered of an upload, or null. */
export function recall(id) {
  try {
    return JSON.parse(localStorage.getItem(PREFIX + id));
  } catch {
    return null; // Storage that is switched off, or that somebody else wrote to.
  }
}

export function forget(id) {
  try {
    localStorage.removeItem(PREFIX + id);
  } catch {
    // Storage is switched off, and then nothing was kept.
  }
}

function write(key, text) {
  try {
    localStorage.setItem(key, text);
  } catch {
    // Then a reload asks for the whole file again.
  }
}
