import { RequestFailed } from "../lib/request.js";
import { forget } from "../upload/memory.js";
import { Importing } from "./importing.js";
import { Known } from "./known.js";
import { Offer } from "./offer.js";
import { Sending } from "./sending.js";

/** A model on its way, in one phase after the other: offered, sent, imported. */
export class Arrival {
  #phase = null;

  /**
   * @param {ArrivalView} view
   * @param {object} page `terms()`, `say(text)`, `changed()`, `remove(arrival)`, `choose(arrival, isFolder)`
   */
  constructor(view, page) {
    this.view = view;
    this.page = page;
    this.id = "";
    this.print = "";
    view.onAction((action) => this.#guarded(() => this.#phase[action]()));
  }

  set name(text) {
    this.text = text;
    this.view.name = text;
  }

  get name() {
    return this.text;
  }

  get status() {
    return this.#phase?.status ?? "";
  }

  /** Show that files are being looked into. */
  looking(name) {
    this.name = name;
    this.view.tag("Looking inside");
    this.view.actions();
  }

  /** Show why files cannot be imported; not a byte of them is sent. */
  refuse({ message, hint }) {
    this.#phase = { dismiss: () => this.page.remove(this) };
    this.view.tag("Cannot be imported", "bad");
    this.view.what("Nothing was sent.");
    this.view.problem({ message, hint });
    this.view.actions("dismiss");
    this.page.say(`${this.name} cannot be imported. ${message}`);
  }

  /** Offer what was found for an import. */
  offer(findings, print, terms) {
    this.print = print;
    this.#phase = new Offer(this, findings, terms);
  }

  /** Show the model that was made of the same files before; `choices` as in `Known`. */
  recognise(models, choices) {
    this.#phase = new Known(this, models, choices);
  }

  /** Send files to the upload that waits for them; the import follows. */
  async send(record, files) {
    this.id = record.modelId;
    this.#phase = new Sending(this);
    await this.#phase.send(record, files);
  }

  /** Show an upload that was begun before this page was loaded. */
  async restore(record) {
    this.id = record.modelId;
    this.name = record.modelName;
    this.#phase = new Sending(this);
    await this.#phase.restore(record);
  }

  /** Show an import, and go on with what it tells. */
  async follow(id = this.id) {
    this.id = id;
    this.#phase = new Importing(this);
    await this.#phase.refresh();
  }

  /** Take over what an import tells. */
  tell(event) {
    return this.#guarded(async () => {
      if (this.#phase instanceof Importing) await this.#phase.tell(event);
      else if (event.status !== "queued") await this.follow();
    });
  }

  /** Ask again how an import is that has not ended, after the page was cut off from the server. */
  async comeBack() {
    if (this.#phase instanceof Importing && ["queued", "importing"].includes(this.status)) await this.#guarded(() => this.follow());
  }

  /** Whether bytes would stop flowing if the page went away. */
  get isSending() {
    return this.#phase instanceof Sending && this.#phase.upload !== null;
  }

  /** Whether these are the files that an upload of before waits for. */
  waitsFor(print) {
    return this.#phase instanceof Sending && this.#phase.waitsFor(print);
  }

  /** Go on with that upload. */
  goOn(files) {
    return this.#guarded(() => this.#phase.goOn(files));
  }

  /** Leave the page, because nothing of it is left on the server. */
  leave() {
    forget(this.id);
    this.page.remove(this);
  }

  /** What a button began may fail, and then the card says so. */
  async #guarded(run) {
    try {
      await run();
    } catch (error) {
      if (!(error instanceof RequestFailed)) throw error;
      this.view.problem({ message: error.message });
    }
  }
}
