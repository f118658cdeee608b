import { countText, sizeText } from "../lib/format.js";
import { convertedBytes, diskBytes, memoryBytes } from "../inspect/estimate.js";

const TITLES = { gguf: "GGUF model", model: "Safetensors model", adapter: "LoRA adapter", archive: "Packed archive" };
const FORMS = { zip: " in a ZIP", tar: " in a tar", "tar.gz": " in a packed tar", plain: "" };
const REMARKS = {
  q8_0: "nearly without loss",
  q6_k: "very close",
  q5_k_m: "close",
  q4_k_m: "small, a little less exact",
  q4_0: "small, less exact",
};
// What else the machine does needs a little, too.
const MEMORY_SHARE = 0.9;

/** The choices before an import: they say what each will take. */
export class ProspectForm {
  /**
   * @param {HTMLFormElement} form
   * @param {object} findings what the files are; without tensors, sizes are not told
   * @param {object} terms what this server takes
   */
  constructor(form, findings, terms) {
    this.form = form;
    this.findings = findings;
    this.terms = terms;
  }

  /** Fill the fields in and show them. */
  open({ name, options = {} }, onChange) {
    const { elements } = this.form;
    elements.name.value = name;
    elements.system.value = options.system ?? "";
    elements.contextLength.value = options.contextLength ?? "";
    elements.contextLength.placeholder = String(this.contextTokens);
    if (this.findings.contextLength) elements.contextLength.max = this.findings.contextLength;
    elements.keepAsBase.checked = Boolean(options.keepAsBase);
    this.#show("outputType", this.findings.kind !== "gguf");
    this.#show("keepAsBase", this.findings.kind === "model");
    this.#show("base", this.findings.kind === "adapter" && !this.findings.hasBase);
    this.#fillTypes(options.outputType);
    this.#fillBases(options.base);
    this.form.hidden = false;
    this.form.oninput = onChange;
  }

  /** What was chosen, as the API takes it. */
  get options() {
    const { system, contextLength, outputType, base, keepAsBase } = this.form.elements;
    return {
      system: system.value.trim(),
      ...(contextLength.value ? { contextLength: Number(contextLength.value) } : {}),
      ...(this.findings.kind === "gguf" ? {} : { outputType: outputType.value }),
      ...(base.value ? { base: base.value } : {}),
      ...(keepAsBase.checked ? { keepAsBase: true } : {}),
    };
  }

  get name() {
    return this.form.elements.name.value.trim();
  }

  get contextTokens() {
    const wanted = Number(this.form.elements.contextLength.value) || this.terms.contextLength;
    return Math.min(wanted, this.findings.contextLength || wanted);
  }

  /** A sentence if it will not fit into the machine's memory as it is chosen; empty if it will. */
  get memoryWarning() {
    const model = this.#bytesOf(this.form.elements.outputType.value);
    const memory = memoryBytes(this.findings, model, this.contextTokens);
    if (!model || memory <= this.terms.memoryBytes) return "";
    const way = this.findings.kind === "gguf" ? "a smaller file, or a shorter context" : "a smaller quantization, or a shorter context";
    return `It takes about ${sizeText(memory)} of memory, and the server has ${sizeText(this.terms.memoryBytes)}: choose ${way}.`;
  }

  /** Label, value and tone of each thing that is known. */
  get figures() {
    const { findings, terms } = this;
    const model = this.#bytesOf(this.form.elements.outputType.value);
    const disk = diskBytes(findings);
    const memory = memoryBytes(findings, model, this.contextTokens);
    return [
      ["Architecture", findings.architecture],
      ["Parameters", findings.parameterCount ? countText(findings.parameterCount) : ""],
      ["Stored as", findings.storedAs],
      ["Rank", findings.rank ? String(findings.rank) : ""],
      ["Context", findings.contextLength ? `${findings.contextLength.toLocaleString("en")} tokens` : ""],
      ["Base", ...this.#base],
      ["Disk meanwhile", `${sizeText(disk)} of ${sizeText(terms.freeBytes)}`, disk > terms.freeBytes ? "problem" : ""],
      ["Memory", model ? `${sizeText(memory)} of ${sizeText(terms.memoryBytes)}` : "", memory > terms.memoryBytes ? "problem" : ""],
    ];
  }

  /** What it is, in a line. */
  get title() {
    const { kind, form, sizeBytes, leftOut, partCount } = this.findings;
    const parts = partCount > 1 ? ` of ${partCount} parts` : "";
    const rest = leftOut ? ` · ${leftOut} ${leftOut === 1 ? "file" : "files"} not needed and left out` : "";
    return `${TITLES[kind]}${parts}${FORMS[form]} · ${sizeText(sizeBytes)} to send${rest}`;
  }

  /** What is known of an adapter's base, and its tone. */
  get #base() {
    const { kind, hasBase, base, baseName, canDownloadBase } = this.findings;
    if (kind !== "adapter") return [""];
    if (hasBase) return ["comes along"];
    if (base) return [`${base.name}, is here`];
    return canDownloadBase ? [`${baseName}, will be downloaded`] : [`${baseName || "not named"}, is not here`, "problem"];
  }

  #bytesOf(typeName) {
    const type = this.terms.outputTypes.find(({ name }) => name === (typeName === "auto" ? this.findings.storedAs : typeName));
    return type && this.findings.kind !== "gguf" ? convertedBytes(this.findings, type) : this.findings.weightBytes;
  }

  #fillTypes(chosen) {
    const hasSizes = Boolean(this.findings.tensors?.length);
    const label = (name, text) => [text, hasSizes ? sizeText(this.#bytesOf(name)) : "", REMARKS[name] ?? ""].filter(Boolean).join(" · ");
    const { kind, storedAs } = this.findings;
    const stored = kind === "adapter" ? "As its base is" : storedAs ? `As it is (${storedAs})` : "As it is";
    const options = this.terms.outputTypes
      .filter(({ name }) => name in REMARKS || ["f16", "bf16", "f32"].includes(name))
      .map(({ name }) => new Option(label(name, name), name));
    this.form.elements.outputType.replaceChildren(new Option(label("auto", stored), "auto"), ...options);
    this.form.elements.outputType.value = chosen ?? (hasSizes ? this.#typeThatFits() : "auto");
  }

  /** As it is, unless that would not fit into this machine. */
  #typeThatFits() {
    const fits = (name) => memoryBytes(this.findings, this.#bytesOf(name), this.contextTokens) < this.terms.memoryBytes * MEMORY_SHARE;
    return ["auto", "q8_0", "q5_k_m"].find(fits) ?? "q4_k_m";
  }

  #fillBases(chosen) {
    const { baseName } = this.findings;
    const own = new Option(baseName ? `As the adapter says: ${baseName}` : "As the adapter says", "");
    const options = this.terms.bases.map(({ id, name }) => new Option(name === id ? name : `${name} (${id})`, id));
    this.form.elements.base.replaceChildren(own, ...options);
    this.form.elements.base.value = chosen ?? "";
  }

  #show(name, isShown) {
    this.form.elements[name].closest("label").hidden = !isShown;
  }
}
