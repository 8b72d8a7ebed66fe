"use strict";
// Search, filters and sorting. Without it the page shows all that it holds.
(() => {
  const words = (n, one, many) => `${n.toLocaleString("en").replaceAll(",", "\u202f")} ${n === 1 ? one : many}`;

  // --- search and filters: of one table, or of the tables of several sections
  for (const form of document.querySelectorAll("form[data-find]")) {
    const root = document.getElementById(form.dataset.find);
    const input = form.querySelector("input");
    const selects = [...form.querySelectorAll("select")];
    const output = form.querySelector("output");
    let index = null;

    // Built when it is first needed: a large page opens without it.
    const build = () => {
      const groups = [...root.querySelectorAll("details[data-name]")];
      const parts = groups.length ? groups : [root];
      return parts.map((part) => ({
        part: part === root ? null : part,
        tally: part === root ? null : part.querySelector("summary .tally"),
        name: (part.dataset.name || "").toLowerCase(),
        opened: false,
        rows: [...part.querySelectorAll("tbody tr")].map((row) => ({
          row, text: row.textContent.toLowerCase(),
        })),
      }));
    };

    const apply = () => {
      index ??= build();
      const sought = input.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
      const chosen = selects.filter((select) => select.value);
      const active = sought.length > 0 || chosen.length > 0;
      let shown = 0, total = 0, sections = 0;
      const counts = index.map((group) => {
        let inGroup = 0;
        for (const entry of group.rows) {
          const visible =
            sought.every((word) => entry.text.includes(word) || group.name.includes(word)) &&
            chosen.every((select) => entry.row.dataset[select.dataset.key] === select.value);
          if (entry.row.hidden === visible) entry.row.hidden = !visible;
          inGroup += visible;
        }
        total += group.rows.length;
        shown += inGroup;
        sections += inGroup > 0;
        return inGroup;
      });
      // Many open tables at once would be slow, and no help.
      const open = active && shown > 0 && shown <= 250;
      index.forEach((group, i) => {
        if (!group.part) return;
        // A section without rows is found by its name.
        const named = !group.rows.length && !chosen.length && sought.every((word) => group.name.includes(word));
        group.part.hidden = active && !counts[i] && !named;
        if (group.tally) group.tally.textContent = active ? `${counts[i]} of ${group.rows.length} match` : "";
        if (open && counts[i] && !group.part.open) { group.part.open = true; group.opened = true; }
        if (!open && group.opened) { group.part.open = false; group.opened = false; }
      });
      output.textContent = active
        ? `${words(shown, "row", "rows")} of ${words(total, "row", "rows").split(" ")[0]}` +
          (index[0]?.part ? ` in ${words(sections, "dataset", "datasets")}` : "") +
          (shown > 250 && index[0]?.part ? "; open a dataset to see them" : "")
        : "";
      form.classList.toggle("active", active);
    };

    let timer = 0;
    input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(apply, 90); });
    for (const select of selects) select.addEventListener("change", apply);
    form.addEventListener("submit", (event) => { event.preventDefault(); apply(); });
    form.addEventListener("reset", () => setTimeout(apply));
    form.hidden = false;
  }

  // --- sorting
  const value = (row, place) => row.cells[place]?.dataset.v ?? row.cells[place]?.textContent.trim() ?? "";
  const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
  for (const table of document.querySelectorAll("table.sortable")) {
    [...table.tHead.rows[0].cells].forEach((cell, place) => {
      if (cell.classList.contains("fixed")) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...cell.childNodes);
      cell.append(button);
      button.addEventListener("click", () => {
        const down = cell.getAttribute("aria-sort") === "ascending";
        for (const other of cell.parentNode.cells) other.removeAttribute("aria-sort");
        cell.setAttribute("aria-sort", down ? "descending" : "ascending");
        const rows = [...table.tBodies[0].rows];
        const keys = new Map(rows.map((row) => [row, value(row, place)]));
        rows.sort((a, b) => collator.compare(keys.get(a), keys.get(b)) * (down ? -1 : 1));
        if (cell.classList.contains("n")) rows.sort((a, b) => (keys.get(a) - keys.get(b)) * (down ? -1 : 1));
        table.tBodies[0].append(...rows);
      });
    });
  }

  // --- sections that a link leads to, and all of them on paper
  const openTarget = () => {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const section = target && target.closest("details");
    if (section) { section.hidden = false; section.open = true; section.scrollIntoView(); }
  };
  addEventListener("hashchange", openTarget);
  openTarget();
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const each of closed) each.open = true;
  });
  addEventListener("afterprint", () => { for (const each of closed) each.open = false; closed = []; });
  for (const button of document.querySelectorAll("button[data-open]")) {
    button.addEventListener("click", () => {
      const open = button.dataset.open === "yes";
      for (const each of document.querySelectorAll("details[data-name]")) each.open = open;
    });
    button.hidden = false;
  }
})();
