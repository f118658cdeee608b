const pad = (number) => String(number).padStart(2, "0");

/** Rewrite the page's times, which the server writes in UTC, to the reader's clock; `data-short` has no seconds. */
export function localTimes() {
  for (const time of document.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    const month = moment.toLocaleString("en", { month: "short" });
    const clock = [moment.getHours(), moment.getMinutes(), moment.getSeconds()].map(pad);
    const shown = "short" in time.dataset ? clock.slice(0, 2) : clock;
    time.textContent = `${pad(moment.getDate())} ${month} ${shown.join(":")}`;
    time.title = moment.toLocaleString();
  }
  for (const zone of document.querySelectorAll("[data-zone]")) zone.hidden = true;
}
