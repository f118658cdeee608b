/** Return a size in the decimal units of disks and downloads. */
export function sizeText(bytes) {
  let value = bytes;
  for (const unit of ["bytes", "kB", "MB"]) {
    if (value < 1000) return `${value.toFixed(0)} ${unit}`;
    value /= 1000;
  }
  return `${value.toFixed(value < 100 ? 1 : 0)} GB`;
}

/** Return a number of things as people say it: 135 million, 7.2 billion. */
export function countText(count) {
  if (count >= 1e9) return `${(count / 1e9).toFixed(1)} billion`;
  if (count >= 1e6) return `${(count / 1e6).toFixed(0)} million`;
  return count.toLocaleString("en");
}

/** Return how long something will take, no finer than anybody can tell. */
export function leftText(seconds) {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s left`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min left`;
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min left`;
}
