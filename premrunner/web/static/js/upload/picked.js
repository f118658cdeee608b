const ARCHIVE = /\.(zip|tar|tgz|tar\.gz)$/i;
const GGUF = /\.gguf$/i;
const SPLIT = /-\d{5}-of-\d{5}$/;
const PROJECTOR = /mmproj|projector/i;

/** Return the files of a drop or a paste, those inside of folders too, with their paths. */
export async function filesOf(transfer) {
  // Entries must be taken before anything is waited for: the browser empties the list at once.
  const entries = [...transfer.items].filter(({ kind }) => kind === "file").map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile());
  const found = await Promise.all(entries.filter(Boolean).map(expand));
  return found.flat();
}

/** Return the files that were chosen, with their paths. */
export const filesOfInput = (input) => [...input.files].map((file) => ({ path: file.webkitRelativePath || file.name, file }));

async function expand(entry) {
  if (entry instanceof File) return [{ path: entry.name, file: entry }];
  const path = entry.fullPath.replace(/^\//, "");
  if (entry.isFile) return [{ path, file: await new Promise((resolve, reject) => entry.file(resolve, reject)) }];
  const reader = entry.createReader();
  const children = [];
  // A reader gives at most a hundred at a time, and none when it is through.
  for (let some = [null]; some.length; ) {
    some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    children.push(...some);
  }
  return (await Promise.all(children.map(expand))).flat();
}

/**
 * Put together what belongs together: each archive, each folder and each GGUF (with its parts and its projector) is a
 * model of its own; other loose files are one.
 * @returns {{name: string, files: {path: string, file: File}[]}[]}
 */
export function groupsOf(picked) {
  const groups = new Map();
  const put = (key, name, item) => {
    if (!groups.has(key)) groups.set(key, { name, files: [] });
    groups.get(key).files.push(item);
  };
  const loose = picked.filter(({ path }) => !path.includes("/"));
  const projectors = loose.filter(({ path }) => GGUF.test(path) && PROJECTOR.test(path));
  for (const item of picked) {
    const { path } = item;
    if (path.includes("/")) put(`folder ${path.split("/")[0]}`, path.split("/")[0], item);
    else if (ARCHIVE.test(path)) put(`archive ${path}`, path.replace(ARCHIVE, ""), item);
    else if (GGUF.test(path) && !projectors.includes(item)) put(`gguf ${stem(path)}`, stem(path), item);
    else if (!projectors.includes(item)) put("loose", nameOf(loose), item);
  }
  const models = [...groups].filter(([key]) => key.startsWith("gguf "));
  for (const item of projectors) {
    if (models.length === 1) models[0][1].files.push(item);
    else put(`gguf ${stem(item.path)}`, stem(item.path), item);
  }
  return [...groups.values()];
}

const stem = (path) => path.replace(GGUF, "").replace(SPLIT, "");

/** Loose files have no folder to be called after. */
function nameOf(loose) {
  const weights = loose.find(({ path }) => /\.safetensors$/i.test(path))?.path.replace(/\.safetensors$/i, "") ?? "";
  return weights && !/^(model|adapter_model)/.test(weights) ? weights : loose[0].path.includes("adapter") ? "My adapter" : "My model";
}
