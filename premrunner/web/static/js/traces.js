import { localTimes } from "./lib/local_time.js";
import { watchNews } from "./lib/trace_news.js";

/** A choice is a filter at once; the button stays for words and dates. */
for (const select of document.querySelectorAll(".filters select")) {
  select.addEventListener("change", () => select.form.requestSubmit());
}
/** What is empty need not stand in the address. */
document.querySelector(".filters")?.addEventListener("formdata", ({ formData }) => {
  for (const [name, value] of [...formData]) if (!value) formData.delete(name);
});

localTimes();
watchNews();
