import { confirm } from "../lib/dialog.js";
import { leftText, sizeText } from "../lib/format.js";
import { getJson, post } from "../lib/request.js";
import { recall } from "../upload/memory.js";
import { Upload, giveUp } from "../upload/upload.js";

// Bars that move more often look no smoother and keep screen and processor busy.
const DRAW_EVERY_MS = 120;
const AWAY = "the server is away; it goes on when it is back";

/** A model's bytes on their way to the server: sent, paused, waiting for their file after a reload, arrived. */
export class Sending {
  #drawnAt = 0;

  constructor(arrival) {
    this.arrival = arrival;
    this.view = arrival.view;
    this.upload = null;
  }

  /** Show an upload that was begun before this page was loaded. */
  async restore(record) {
    const known = recall(record.modelId);
    if (record.state === "complete") return known ? this.#import(record.path) : this.#offerImport(record);
    this.isFolder = record.files.length > 1;
    this.view.stage("upload", known?.kind);
    this.#showPaused(record.receivedBytes, record.fileSize);
    const what = this.isFolder ? "the folder" : record.fileName;
    this.view.what(known ? `Choose or drop ${what} again, and it goes on where it stopped.` : "It was begun elsewhere: go on there, or delete it here.");
    this.view.actions(...(known ? ["choose"] : []), "giveUp");
  }

  /** Send what is missing; then the import begins. */
  async send(record, files) {
    this.files = files;
    this.upload = new Upload(record, files, () => this.#draw());
    this.view.problem(null);
    this.view.what("");
    this.view.tag("Uploading", "warn");
    this.view.stage("upload", recall(record.modelId)?.kind);
    this.view.actions("pause", "giveUp");
    this.#drawnAt = 0;
    this.#draw();
    try {
      const { path, sameModels } = await this.upload.run();
      // Of one that was known before it was sent, its owner wants another.
      if (!sameModels.length || record.sameModels?.length) await this.#import(path);
      else this.#showKnown(path, sameModels);
    } catch (error) {
      this.#stopped(error);
    }
  }

  /** Go on with files that were given again. */
  async goOn(files) {
    await this.send(await getJson(`/v1/chunked-upload/${this.arrival.id}`), files);
  }

  waitsFor(print) {
    return !this.upload && recall(this.arrival.id)?.print === print;
  }

  choose() {
    this.arrival.page.choose(this.arrival, this.isFolder);
  }

  pause() {
    this.upload.pause();
  }

  async resume() {
    await this.goOn(this.files);
  }

  async giveUp() {
    const text = "What has arrived will be deleted on the server. The file on your computer stays.";
    if (!(await confirm(text, "Delete", { title: `Stop sending ${this.arrival.name}?` }))) return;
    this.upload?.pause();
    await giveUp(this.arrival.id);
    this.arrival.leave();
  }

  async importNow() {
    await this.#import(this.path);
  }

  async #import(path) {
    const { id, name: shownName } = this.arrival;
    const { name = shownName, options = {} } = recall(id) ?? {};
    await post("/v1/models/import", { modelId: id, modelName: name, filePath: path, ...options });
    await this.arrival.follow();
  }

  #showKnown(path, models) {
    const dismiss = async () => {
      await giveUp(this.arrival.id);
      this.arrival.leave();
    };
    this.upload = null;
    this.arrival.recognise(models, { importAgain: () => this.#import(path), dismiss });
  }

  #offerImport(record) {
    this.path = record.path;
    this.view.tag("Arrived");
    this.view.what(`${sizeText(record.fileSize)} are here, and wait to become a model.`);
    this.view.actions("importNow", "giveUp");
  }

  #draw() {
    const now = performance.now();
    const { sentBytes, totalBytes, bytesPerSecond, secondsLeft, isAway } = this.upload;
    if (now - this.#drawnAt < DRAW_EVERY_MS && sentBytes < totalBytes && !isAway) return;
    this.#drawnAt = now;
    const percent = Math.floor((sentBytes / totalBytes) * 100);
    const left = sentBytes === totalBytes ? "checking" : secondsLeft ? leftText(secondsLeft) : "";
    const pace = bytesPerSecond ? `${sizeText(bytesPerSecond)}/s` : "";
    const said = [`${percent} % of ${sizeText(totalBytes)}`, ...(isAway ? [AWAY] : [pace, left])];
    this.view.progress(said.filter(Boolean).join(" · "), percent);
  }

  #stopped(error) {
    const isPaused = error.name === "AbortError";
    const { sentBytes, totalBytes } = this.upload;
    this.upload = null;
    this.#showPaused(sentBytes, totalBytes);
    this.view.problem(isPaused ? null : { message: error.message, hint: "What has arrived is kept. Mend that, and go on." });
    this.view.actions("resume", "giveUp");
    if (!isPaused) this.arrival.page.say(`${this.arrival.name} stopped: ${error.message}`);
  }

  #showPaused(arrivedBytes, totalBytes) {
    this.view.tag("Paused", "warn");
    this.view.progress(`${sizeText(arrivedBytes)} of ${sizeText(totalBytes)} have arrived`, Math.floor((arrivedBytes / totalBytes) * 100));
  }
}
