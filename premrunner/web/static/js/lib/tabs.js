/**
 * Turn each `<div data-tabs aria-label="…">` of sections (`<section data-tab="Title" id="…">`) into tabs; without this
 * script the sections stand one below the other.
 */
export function showTabs(root = document) {
  for (const box of root.querySelectorAll("[data-tabs]")) arrange(box, [...box.querySelectorAll(":scope > [data-tab]")]);
}

function arrange(box, panels) {
  const list = Object.assign(document.createElement("div"), { className: "tab-list", role: "tablist" });
  list.setAttribute("aria-label", box.getAttribute("aria-label"));
  const tabs = panels.map((panel) => tabOf(panel));
  const select = (chosen) =>
    tabs.forEach((tab, index) => {
      tab.setAttribute("aria-selected", tab === chosen);
      tab.tabIndex = tab === chosen ? 0 : -1;
      panels[index].hidden = tab !== chosen;
    });
  list.append(...tabs);
  list.addEventListener("click", ({ target }) => target.matches("[role=tab]") && select(target));
  list.addEventListener("keydown", (event) => {
    const steps = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity }[event.key];
    if (!steps) return;
    event.preventDefault();
    const now = tabs.indexOf(event.target);
    const next = Number.isFinite(steps) ? (now + steps + tabs.length) % tabs.length : steps > 0 ? tabs.length - 1 : 0;
    select(tabs[next]);
    tabs[next].focus();
  });
  box.prepend(list);
  select(tabs[0]);
}

function tabOf(panel) {
  const tab = Object.assign(document.createElement("button"), { type: "button", role: "tab", textContent: panel.dataset.tab });
  tab.id = `${panel.id}-tab`;
  tab.setAttribute("aria-controls", panel.id);
  panel.setAttribute("role", "tabpanel");
  panel.setAttribute("aria-labelledby", tab.id);
  return tab;
}
