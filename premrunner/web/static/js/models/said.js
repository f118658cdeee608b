import { toast } from "../lib/toast.js";

const KEY = "said";

/** Keep a sentence for the page that comes next. */
export const sayNext = (text) => sessionStorage.setItem(KEY, text);

/** Say what the page before left. */
export function saySaid() {
  const text = sessionStorage.getItem(KEY);
  if (!text) return;
  sessionStorage.removeItem(KEY);
  toast(text);
}
