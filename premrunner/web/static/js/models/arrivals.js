import { Announcer } from "../lib/announcer.js";
import { RequestFailed } from "../lib/request.js";
import { toast } from "../lib/toast.js";
import { fingerprint } from "../upload/fingerprint.js";
import { groupsOf } from "../upload/picked.js";
import { uploads } from "../upload/upload.js";
import { Arrival } from "./arrival.js";
import { ArrivalView } from "./arrival_view.js";
import { fetchTerms } from "./terms.js";

/** The models on their way, in a list above those that are here. */
export class Arrivals {
  #all = [];
  #list = document.querySelector("[data-arrivals]");
  #template = document.querySelector("template[data-arrival-template]");
  #announcer = new Announcer(document.querySelector("[data-live]"));
  #wanted = null; // The upload of before whose file is being chosen.

  /** @param {() => void} onChange called when a model has become ready */
  constructor(onChange) {
    this.changed = onChange;
    this.terms = fetchTerms;
    addEventListener("beforeunload", (event) => {
      if (this.#all.some(({ isSending }) => isSending)) event.preventDefault();
    });
  }

  /** Take over those that the page was loaded with. */
  async restore() {
    const elements = [...this.#list.children];
    if (!elements.length) return;
    const records = await said(async () => new Map((await uploads()).map((record) => [record.modelId, record])));
    if (!records) return;
    for (const element of elements) await said(() => this.#restoreOne(element, records));
  }

  /** Look into what was picked, and offer it, or go on with what was begun with it. */
  async take(picked) {
    const wanted = this.#wanted;
    this.#wanted = null;
    await Promise.all(groupsOf(picked).map((group) => this.#takeGroup(group, wanted)));
  }

  /** Take over what an import tells, also of one that was begun elsewhere. */
  async tell(event) {
    const arrival = this.#all.find(({ id }) => id === event.modelId);
    if (!arrival) {
      if (!["queued", "importing"].includes(event.status)) return;
      return this.#add().follow(event.modelId);
    }
    await arrival.tell(event);
    if (event.status === "queued" || event.status === "importing") return;
    for (const other of this.#all) if (other.status === "queued") await other.follow(); // Their places have changed.
  }

  /** Ask after all of them, because the page was cut off from the server. */
  async comeBack() {
    await Promise.all(this.#all.map((arrival) => arrival.comeBack()));
  }

  say(text) {
    this.#announcer.say(text);
  }

  remove(arrival) {
    this.#all = this.#all.filter((other) => other !== arrival);
    const next = arrival.view.element.nextElementSibling ?? document.querySelector("[data-drop] button");
    arrival.view.element.remove();
    next?.focus();
  }

  /** Have the file of an upload of before chosen. */
  choose(arrival, isFolder) {
    this.#wanted = arrival;
    const input = document.querySelector(isFolder ? "[data-folder-input]" : "[data-file-input]");
    input.addEventListener("cancel", () => (this.#wanted = null), { once: true });
    input.click();
  }

  async #takeGroup(group, wanted) {
    const [{ inspect }, { Refusal }] = await Promise.all([import("../inspect/inspect.js"), import("../inspect/refusal.js")]);
    const arrival = this.#add();
    arrival.looking(group.name);
    try {
      const terms = await this.terms();
      const findings = await inspect(group.files, terms);
      const print = await fingerprint(findings.files);
      const begun = this.#all.find((other) => other.waitsFor(print));
      if (begun) return this.#swap(arrival, () => begun.goOn(findings.files));
      if (wanted) return this.#swap(arrival, () => toast(`${group.name} is not what was begun: its names, sizes or content differ.`, { isBad: true }));
      if (this.#all.some((other) => other !== arrival && other.print === print)) {
        return this.#swap(arrival, () => toast(`${group.name} is in the list already.`));
      }
      arrival.offer(findings, print, terms);
    } catch (error) {
      const isKnown = error instanceof Refusal || error instanceof RequestFailed;
      arrival.refuse(isKnown ? error : { message: `It cannot be read: ${error.message}`, hint: "Is it still where it was?" });
    }
  }

  async #restoreOne(element, records) {
    const { id, status } = element.dataset;
    const isUpload = ["uploading", "uploaded"].includes(status);
    if (isUpload && !records.has(id)) return element.remove(); // It was given up since the page was made.
    const arrival = this.#make(element);
    arrival.id = id;
    await (isUpload ? arrival.restore(records.get(id)) : arrival.follow());
  }

  #swap(arrival, act) {
    this.remove(arrival);
    return act();
  }

  #add() {
    const element = this.#template.content.firstElementChild.cloneNode(true);
    this.#list.prepend(element);
    return this.#make(element);
  }

  #make(element) {
    const arrival = new Arrival(new ArrivalView(element), this);
    this.#all.push(arrival);
    return arrival;
  }
}

/** Do something that the server may refuse, and then say so. */
async function said(act) {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof RequestFailed)) throw error;
    toast(error.message, { isBad: true });
  }
}
