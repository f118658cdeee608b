// Models look at pictures in tiles of some hundred pixels; more only takes longer.
const LONGEST_SIDE = 1568;
const MOST = 8;
const UNTOUCHED_BYTES = 400_000;

/** The pictures that go with the next message: picked, dropped or pasted. Only offered where the model can see. */
export class Attachments {
  #pictures = [];
  #isOffered = false;

  /** @param {(problem: string) => void} onProblem */
  constructor(form, onProblem) {
    this.list = form.querySelector("[data-attached]");
    this.button = form.querySelector("[data-attach]");
    this.onProblem = onProblem;
    const input = form.querySelector("[data-files]");
    this.button.addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
      this.#take([...input.files]);
      input.value = "";
    });
    form.addEventListener("paste", ({ clipboardData }) => this.#take([...clipboardData.files]));
    document.addEventListener("dragover", (event) => event.dataTransfer.types.includes("Files") && event.preventDefault());
    document.addEventListener("drop", (event) => {
      if (!event.dataTransfer.files.length) return;
      event.preventDefault();
      this.#take([...event.dataTransfer.files]);
    });
  }

  /** Data URLs, in order. */
  get urls() {
    return this.#pictures.map(({ url }) => url);
  }

  /** Offer pictures, or do not, since the model cannot look at any. */
  offer(isOffered) {
    this.#isOffered = isOffered;
    this.button.hidden = !isOffered;
  }

  clear() {
    this.#pictures = [];
    this.#show();
  }

  async #take(files) {
    if (!files.length) return;
    const pictures = files.filter(({ type }) => type.startsWith("image/"));
    if (!this.#isOffered) return this.onProblem("This model cannot look at pictures. Choose one that sees.");
    if (pictures.length < files.length) this.onProblem("Only pictures can go with a message.");
    if (this.#pictures.length + pictures.length > MOST) return this.onProblem(`A message carries ${MOST} pictures at most.`);
    try {
      const urls = await Promise.all(pictures.map(smaller));
      this.#pictures.push(...urls.map((url, index) => ({ url, name: pictures[index].name })));
    } catch {
      this.onProblem("This picture cannot be read.");
    }
    this.#show();
  }

  #show() {
    this.list.hidden = !this.#pictures.length;
    this.list.replaceChildren(...this.#pictures.map((picture) => this.#item(picture)));
  }

  #item(picture) {
    const item = document.createElement("li");
    const button = Object.assign(document.createElement("button"), { type: "button", className: "small", textContent: "×" });
    button.setAttribute("aria-label", `Remove ${picture.name}`);
    button.addEventListener("click", () => {
      this.#pictures = this.#pictures.filter((other) => other !== picture);
      this.#show();
    });
    item.append(Object.assign(new Image(), { src: picture.url, alt: picture.name }), button);
    return item;
  }
}

/** Return a picture as a data URL, made smaller where it is larger than models look at. */
async function smaller(file) {
  const bitmap = await createImageBitmap(file);
  const scale = Math.min(1, LONGEST_SIDE / Math.max(bitmap.width, bitmap.height));
  if (scale === 1 && file.size < UNTOUCHED_BYTES) return dataUrl(file);
  const canvas = Object.assign(document.createElement("canvas"), {
    width: Math.round(bitmap.width * scale),
    height: Math.round(bitmap.height * scale),
  });
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL(file.type === "image/png" ? "image/png" : "image/jpeg", 0.9);
}

function dataUrl(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(reader.result));
    reader.addEventListener("error", reject);
    reader.readAsDataURL(file);
  });
}
