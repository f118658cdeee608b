/** Files that cannot become a model here, with what to do instead. */
export class Refusal extends Error {
  /**
   * @param {string} message what is wrong, with which file
   * @param {string} hint what to do about it
   */
  constructor(message, hint = "") {
    super(message);
    this.hint = hint;
  }
}

const HEAD_BYTES = 256;
const OLD_GGML = ["lmgg", "tjgg", "fmgg", "algg"];
const EXPORT_AGAIN =
  "Export it as safetensors where it was trained: model.save_pretrained(folder, safe_serialization=True) and " +
  "tokenizer.save_pretrained(folder). Then drop the folder.";
const FOREIGN = [
  [/\.onnx$/i, "an ONNX file"],
  [/\.(h5|keras)$/i, "a Keras file"],
  [/\.tflite$/i, "a TensorFlow Lite file"],
  [/\.(npz|npy)$/i, "a NumPy file"],
  [/\.msgpack$/i, "a Flax file"],
  [/(^|\.)ggml[^/]*\.bin$/i, "a GGML file, which came before GGUF"],
];

/** Return bytes as text, a character each; for comparing with what formats begin with. */
export const byteText = (bytes) => String.fromCharCode(...bytes);

/** Throw if a file has the name of weights and is something else. */
export async function refuseImpostor(source) {
  const head = byteText(await source.head(HEAD_BYTES));
  if (!head) throw new Refusal(`${source.fileName} is empty.`, "It was probably not copied to its end.");
  if (head.startsWith("version https://git-lfs")) {
    throw new Refusal(
      `${source.fileName} is a Git-LFS pointer of ${source.size} bytes, not the weights.`,
      "Run `git lfs pull` in the folder, and drop it again.",
    );
  }
  if (/^\s*<(!doctype|html|head|\?xml|script|body)/i.test(head)) {
    throw new Refusal(
      `${source.fileName} is a web page saved under the name of weights, probably a login or an error page.`,
      "Download the file again, signed in.",
    );
  }
  if (OLD_GGML.includes(head.slice(0, 4))) {
    throw new Refusal(`${source.fileName} is a GGML file, which came before GGUF.`, "Download or export it as GGUF.");
  }
  if (head.startsWith("FUGG")) {
    throw new Refusal(`${source.fileName} is a GGUF for big-endian machines.`, "Take the little-endian file.");
  }
}

/** Return what to say of files among which there are no weights that can be read. */
export function withoutWeights(sources) {
  const pickle = sources.find(({ path }) => /\.(bin|pt|pth|pkl|pickle|ckpt)$/i.test(path));
  if (pickle) {
    return new Refusal(
      `${pickle.fileName} is a Python pickle. It runs code when it is opened, so it is not read.`,
      EXPORT_AGAIN,
    );
  }
  for (const source of sources) {
    const kind = FOREIGN.find(([pattern]) => pattern.test(source.path));
    if (kind) return new Refusal(`${source.fileName} is ${kind[1]}, which is not read here.`, EXPORT_AGAIN);
  }
  const names = sources.slice(0, 5).map(({ fileName }) => fileName.slice(0, 60)).join(", ");
  return new Refusal(
    sources.length ? `There is no model in it; it holds ${names}${sources.length > 5 ? " and more" : ""}.` : "It is empty.",
    "A model is a .gguf file, or a folder with config.json, *.safetensors and the tokenizer's files.",
  );
}
