import { confirm } from "../lib/dialog.js";
import { countText, leftText, sizeText } from "../lib/format.js";
import { getJson, post, send } from "../lib/request.js";
import { forget, recall } from "../upload/memory.js";
import { ProspectForm } from "./prospect_form.js";

const ENDED = ["ready", "failed", "cancelled"];
const TAGS = { queued: ["Waiting"], importing: ["Importing", "warn"], ready: ["Ready", "good"], failed: ["Failed", "bad"], cancelled: ["Cancelled"] };

/** An upload that becomes a model: its stages as they are told, and how it ended. */
export class Importing {
  constructor(arrival) {
    Object.assign(this, { arrival, view: arrival.view, page: arrival.page, status: "", found: {} });
    this.address = `/v1/models/${arrival.id}`;
  }

  /** Take over what the import tells; of one that has ended, everything is asked for. */
  async tell(event) {
    if (ENDED.includes(event.status)) return this.refresh();
    if (event.stage && event.stage !== this.stage) this.page.say(`${this.arrival.name}: ${event.message}`);
    Object.assign(this, { status: event.status, stage: event.stage });
    this.#showStage(event);
  }

  /** Ask how it is, and show it. */
  async refresh() {
    const known = await getJson(`${this.address}/status`);
    Object.assign(this, { known, status: known.status, found: known.found ?? {} });
    this.arrival.name = known.name;
    this.view.form.hidden = true;
    this.view.what("");
    this.view.notes(this.found.warnings ?? []);
    this.view.problem(known.error ?? null);
    if (this.found.kind) this.view.figures(figuresOf(this.found));
    if (ENDED.includes(this.status)) this.#showEnd(known);
    else this.#showStage(known);
  }

  async cancel() {
    await post(`${this.address}/cancel`, {});
    this.view.progress("Stopping");
  }

  async retry() {
    await post(`${this.address}/retry`, {});
    await this.refresh();
  }

  /** Let other choices be made before another try. */
  async change() {
    const { quantization: storedAs, sizeBytes: weightBytes = 0, baseModelName: baseName } = this.found;
    const findings = { kind: "model", ...this.found, storedAs, weightBytes, baseName, sizeBytes: weightBytes };
    this.form = new ProspectForm(this.view.form, findings, await this.page.terms());
    this.view.form.dataset.action = "retryWith";
    this.form.open({ name: this.arrival.name, options: recall(this.arrival.id)?.options ?? this.known.options }, () => {});
    this.view.form.elements.name.closest("label").hidden = true;
    this.view.actions("again", "drop");
  }

  async retryWith() {
    await post(`${this.address}/retry`, this.form.options);
    await this.refresh();
  }

  /** Delete what is left of it. */
  async drop() {
    const text = "What was uploaded will be deleted on the server.";
    if (!(await confirm(text, "Delete", { title: `Delete ${this.arrival.name}?` }))) return;
    await send("DELETE", this.address);
    this.arrival.leave();
  }

  dismiss() {
    this.page.remove(this.arrival);
  }

  #showStage({ stage, message, percent, bytesPerSecond, secondsLeft, status }) {
    const pace = bytesPerSecond ? `${sizeText(bytesPerSecond)}/s` : "";
    const left = secondsLeft > 1 ? leftText(secondsLeft) : "";
    const said = [message.replace(/\.$/, ""), percent ? `${percent} %` : "", pace, left];
    this.view.tag(...TAGS[status]);
    this.view.stage(stage || "check", this.found.kind ?? recall(this.arrival.id)?.kind);
    this.view.progress(said.filter(Boolean).join(" · "), percent || undefined);
    this.view.actions("cancel");
  }

  #showEnd({ status, stage, error, canRetry, proof, alias }) {
    const hasFailed = status === "failed";
    this.view.tag(...TAGS[status]);
    this.view.progress(null);
    this.view.stage(hasFailed ? stage : "", this.found.kind, true);
    if (status !== "ready") this.view.actions(...(canRetry ? ["retry", "change"] : []), "drop");
    if (hasFailed) this.page.say(`${this.arrival.name} failed: ${error.message}`);
    if (status !== "ready") return;
    forget(this.arrival.id);
    this.view.proof(proof);
    this.view.links(alias);
    this.view.actions("dismiss");
    this.page.say(`${this.arrival.name} is ready. ${proof?.answer ? `It says: ${proof.answer}` : ""}`);
    this.page.changed();
  }
}

function figuresOf(found) {
  return [
    ["Architecture", found.architecture],
    ["Parameters", found.parameterCount ? countText(found.parameterCount) : ""],
    ["Stored as", found.quantization],
    ["Context", found.contextLength ? `${found.contextLength.toLocaleString("en")} tokens` : ""],
    ["Base", found.baseModelName],
    ["Size", found.sizeBytes ? sizeText(found.sizeBytes) : ""],
  ];
}
