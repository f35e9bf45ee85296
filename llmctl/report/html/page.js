// The list of all cases: filter, sort, open. Every text enters the page as text, never as markup.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { fields, statuses, before, output, pairs } = data.settings;
  const rows = data.rows;
  const at = Object.fromEntries(fields.map((name, place) => [name, place]));
  const labels = new Map(statuses);
  const ranks = new Map(statuses.map(([status], rank) => [status, rank]));
  const SLICE = 100, PRINTED = 1000, PREVIEW = 240, LONG = 4000;
  const byId = (id) => document.getElementById(id);

  // --- what a row says ---------------------------------------------------------------------------------------------

  function joined(row, skipped) {
    const pieces = row[at.pieces];
    let text = "";
    for (let i = 0; i < pieces.length; i += 2) if (pieces[i] !== skipped) text += pieces[i + 1];
    return text;
  }
  const answer = (row) => (row[at.pieces] ? joined(row, 1) : row[at.output]);
  const earlier = (row) => (row[at.pieces] ? joined(row, 2) : row[at.before]);
  const target = (row) => `${row[at.prompt]} · ${row[at.model]}`;
  const changed = (row) => row[at.pieces] !== null || row[at.before] !== row[at.output];

  function latency(ms) {
    if (ms === null) return "-";
    if (ms < 999.5) return `${ms >= 10 || ms === 0 ? ms.toFixed(0) : ms.toFixed(1)} ms`;
    const s = ms / 1000;
    return `${s.toFixed(s < 9.995 ? 2 : s < 99.95 ? 1 : 0)} s`;
  }
  function money(usd) {
    if (usd === null) return "unknown";
    if (usd === 0 || usd >= 1) return `$${usd.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
    return `$${usd.toFixed(Math.min(20, Math.max(2, 1 - Math.floor(Math.log10(usd)))))}`;
  }
  const whole = (number) => number.toLocaleString("en-US");

  // --- the page's state, which is also the end of its address ------------------------------------------------------

  const columns = [  // without those that hold nothing
    { key: "status", title: "Verdict", value: (row) => ranks.get(row[at.status]) },
    { key: "case", title: "Case", value: (row) => row[at.case] },
    { key: "before", title: before },
    { key: "output", title: output },
    { key: "score", title: "Score", value: (row) => row[at.score], number: true },
    { key: "latency", title: "Latency", value: (row) => row[at.latency_ms], number: true },
    { key: "cost", title: "Cost", value: (row) => row[at.cost_usd], number: true },
  ].filter((column) => !column.number || rows.some((row) => column.value(row) !== null));
  const sortable = columns.filter((column) => column.value);
  const NONE = { q: "", verdict: "", tag: "", target: "", bank: "", case: "", changed: "", sort: "", dir: "" };
  let state = { ...NONE };
  let found = [];
  let listed = 0;

  function read() {
    state = { ...NONE };
    for (const [name, value] of new URLSearchParams(location.hash.slice(1)))
      if (Object.hasOwn(NONE, name)) state[name] = value;
    if (!sortable.some((column) => column.key === state.sort)) state.sort = "";
    if (!["up", "down"].includes(state.dir)) state.dir = "";
  }
  function write() {
    const said = new URLSearchParams(Object.entries(state).filter(([, value]) => value));
    history.replaceState(null, "", `#${said}`);
  }

  // --- filter and sort ---------------------------------------------------------------------------------------------

  function matcher() {
    const words = state.q.trim();
    if (!words) return () => true;
    const sought = new RegExp(words.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"), "iu");
    const holds = (text) => text !== null && sought.test(text);
    return (row) =>
      holds(row[at.case]) || holds(answer(row)) || holds(earlier(row)) || holds(row[at.expected]) ||
      row[at.tags].some(holds) ||
      [...row[at.why], ...row[at.why_before]].some((reason) => holds(reason[0]) || holds(reason[3]));
  }
  function search() {
    const matches = matcher();
    found = rows.filter(
      (row) =>
        (!state.verdict || row[at.status] === state.verdict) &&
        (!state.tag || row[at.tags].includes(state.tag)) &&
        (!state.target || target(row) === state.target) &&
        (!state.bank || row[at.bank] === state.bank) &&
        (!state.case || row[at.case] === state.case) &&
        (!state.changed || changed(row)) &&
        matches(row));
    sort();
  }
  function sort() {
    const column = sortable.find((one) => one.key === state.sort) || sortable[0];
    const sign = state.dir === "down" ? -1 : 1;
    const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b);
    const keyed = found.map((row) => [column.value(row), row]);
    // What is not known comes last either way.
    keyed.sort(([a], [b]) => (a === null || b === null ? (a === null) - (b === null) : sign * compare(a, b)));
    found = keyed.map(([, row]) => row);
  }

  // --- building the list -------------------------------------------------------------------------------------------

  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) if (value !== null) element.setAttribute(name, value);
    element.append(...children.filter((child) => child !== null));
    return element;
  }
  const badge = (kind, label) => make("span", { class: `badge s-${kind.replaceAll(" ", "-")}` }, label);

  function cell(key, row) {
    const title = columns.find((column) => column.key === key).title;
    const number = (text, was) =>
      make("td", { class: "number", role: "cell", "data-title": title }, text, was === null ? null : make("span", { class: "note" }, was));
    switch (key) {
      case "status":
        return make("td", { role: "cell" }, badge(row[at.status], labels.get(row[at.status])),
          row[at.flaky] ? badge("no evidence", "flaky") : null);
      case "case": {
        const open = make("button", { type: "button", class: "open", "aria-expanded": "false" }, row[at.case] || "(no id)");
        open.addEventListener("click", () => toggle(open, row));
        const repeat = row[at.repeat] > 1 ? ` · repeat ${row[at.repeat]}` : "";
        return make("th", { scope: "row", role: "rowheader" }, open,
          make("span", { class: "where" }, `${row[at.bank]} · ${target(row)}${repeat}`));
      }
      case "before": return preview(title, pairs ? earlier(row) : row[at.expected], pairs ? "not known" : "-");
      case "output": return preview(title, answer(row), "nothing");
      case "score": return number(row[at.score] === null ? "-" : String(+row[at.score].toPrecision(3)), null);
      case "latency": return number(latency(row[at.latency_ms]), pairs && row[at.latency_before_ms] !== null ? `was ${latency(row[at.latency_before_ms])}` : null);
      case "cost": return number(money(row[at.cost_usd]), pairs && row[at.cost_before_usd] !== null ? `was ${money(row[at.cost_before_usd])}` : null);
    }
    return null;
  }
  function preview(title, text, nothing) {
    const short = text === null ? nothing : text === "" ? "empty text" : text.slice(0, PREVIEW) + (text.length > PREVIEW ? " …" : "");
    return make("td", { role: "cell", "data-title": title },
      make("span", { class: text ? "preview" : "preview note", dir: "auto" }, short));
  }

  function toggle(open, row) {
    const line = open.closest("tr");
    const isOpen = open.getAttribute("aria-expanded") === "true";
    open.setAttribute("aria-expanded", String(!isOpen));
    if (isOpen) line.nextSibling.remove();
    else line.after(make("tr", { class: "detail", role: "row" }, make("td", { colspan: columns.length, role: "cell" }, ...detail(row))));
  }
  function detail(row) {
    const tags = row[at.tags].length ? `tags: ${row[at.tags].join(", ")}` : "";
    const facts = [row[at.outcome], row[at.must_pass] ? "must pass" : "", row[at.cached] ? "an answer from an earlier call" : "", tags];
    const said = facts.filter(Boolean).join(" · ");
    const compared = row[at.pieces] !== null;
    const left = pairs || compared ? earlier(row) : row[at.expected];
    return [
      said ? make("p", { class: "note" }, said) : null,
      pairs && row[at.expected] !== null ? make("div", {}, make("h4", {}, "Expected"), block(row[at.expected])) : null,
      make("div", { class: "sides" },
        side(before, row[at.passes_before], compared ? words(row, 2, "del") : block(left, pairs ? "not known" : "nothing")),
        side(output, row[at.passes], compared ? words(row, 1, "ins") : block(answer(row)))),
      reasons("Why it failed before", row[at.why_before]),
      reasons("Why", row[at.why]),
      others(row),
    ].filter((part) => part !== null);
  }
  const side = (title, passes, body) =>
    make("div", {}, make("h4", {}, title, passes ? make("small", {}, ` passed ${passes}`) : null), body);

  function words(row, skipped, tag) {
    const pieces = row[at.pieces];
    const body = make("pre", { dir: "auto", tabindex: "0" });
    for (let i = 0; i < pieces.length; i += 2) {
      if (pieces[i] === skipped) continue;
      body.append(pieces[i] === 0 ? pieces[i + 1] : make(tag, {}, pieces[i + 1]));
    }
    return body;
  }
  function block(text, nothing = "nothing") {
    if (text === null) return make("p", { class: "empty" }, nothing);
    if (text === "") return make("p", { class: "empty" }, "empty text");
    const body = make("pre", { dir: "auto", tabindex: "0" }, text.slice(0, LONG));
    if (text.length <= LONG) return body;
    const all = make("button", { type: "button", class: "all" }, `Show all ${whole(text.length)} characters`);
    all.addEventListener("click", () => { body.textContent = text; body.focus(); all.remove(); });
    return make("div", {}, body, all);
  }
  function reasons(title, given) {
    if (!given.length) return null;
    const items = given.map(([metric, mark, score, text]) =>
      make("li", { dir: "auto" },
        metric ? make("b", {}, metric) : null,
        mark ? make("span", { class: `mark m-${mark}` }, ` ${mark}${score === null ? "" : ` (${+score.toPrecision(3)})`}`) : null,
        metric ? ": " : null, text));
    return make("div", {}, make("h4", {}, title), make("ul", { class: "why" }, ...items));
  }
  function others(row) {
    if (pairs) return null;
    const same = rows.filter((one) => one !== row && one[at.case] === row[at.case] && one[at.bank] === row[at.bank]);
    if (!same.length) return null;
    const items = same.slice(0, 20).map((one) =>
      make("div", {}, make("h4", {}, badge(one[at.status], labels.get(one[at.status])), ` ${target(one)}${one[at.repeat] > 1 ? ` · repeat ${one[at.repeat]}` : ""}`), block(answer(one))));
    return make("details", {}, make("summary", {}, `Other answers to this case: ${whole(same.length)}`), ...items);
  }

  // --- showing -----------------------------------------------------------------------------------------------------

  const table = byId("list"), body = table.tBodies[0];

  function grow(number) {
    const lines = document.createDocumentFragment();
    for (const row of found.slice(listed, listed + number))
      lines.append(make("tr", { role: "row" }, ...columns.map((column) => cell(column.key, row))));
    body.append(lines);
    listed = Math.min(found.length, listed + number);
    byId("more").hidden = listed >= found.length;
    byId("more-button").textContent = `Show ${whole(Math.min(SLICE, found.length - listed))} more`;
    const of = found.length === rows.length ? "" : ` of ${whole(rows.length)}`;
    byId("count").textContent = `${whole(found.length)}${of} ${rows.length === 1 ? "row" : "rows"}` +
      (listed < found.length ? `, the first ${whole(listed)} shown` : "") +
      (state.case ? `, only the case ${state.case}` : "") + ".";
  }
  function show() {
    search();
    body.replaceChildren();
    listed = 0;
    for (const [place, heading] of [...table.tHead.rows[0].cells].entries()) {
      const isSorted = columns[place].key === (state.sort || "status");
      if (isSorted) heading.setAttribute("aria-sort", state.dir === "down" ? "descending" : "ascending");
      else heading.removeAttribute("aria-sort");
    }
    grow(SLICE);
    if (state.case && found.length && found.length <= 20) for (const open of [...body.querySelectorAll(".open")]) open.click();
  }
  function fill() {
    byId("f-q").value = state.q;
    for (const name of ["verdict", "tag", "target"]) byId(`f-${name}`).value = state[name];
    byId("f-sort").value = state.sort ? `${state.sort} ${state.dir || "up"}` : "";
    byId("f-changed").checked = Boolean(state.changed);
  }
  function set(values) {
    state = { ...state, ...values };
    write();
    fill();
    show();
  }

  // --- controls ----------------------------------------------------------------------------------------------------

  function choices(id, all, options) {
    const select = byId(id);
    select.append(make("option", { value: "" }, all), ...options.map(([value, label]) => make("option", { value }, label)));
    select.closest("label").hidden = options.length < 2;
  }
  function counted(valuesOf) {
    const counts = new Map();
    for (const row of rows) for (const value of valuesOf(row)) counts.set(value, (counts.get(value) || 0) + 1);
    return counts;
  }
  function controls() {
    const verdicts = counted((row) => [row[at.status]]);
    choices("f-verdict", "all", statuses.filter(([status]) => verdicts.has(status)).map(([status, label]) => [status, `${label} (${whole(verdicts.get(status))})`]));
    for (const [id, valuesOf] of [["f-tag", (row) => row[at.tags]], ["f-target", (row) => [target(row)]]])
      choices(id, "all", [...counted(valuesOf)].sort(([a], [b]) => a.localeCompare(b)).slice(0, 1000).map(([value, number]) => [value, `${value} (${whole(number)})`]));
    byId("f-tag").closest("label").hidden = byId("f-tag").options.length < 2;
    choices("f-sort", "verdict, worst first", sortable.flatMap(({ key, title, number }) =>
      ["up", "down"].map((dir) => [`${key} ${dir}`, `${title}, ${number ? (dir === "up" ? "lowest" : "highest") : dir === "up" ? "first" : "last"} first`])));
    byId("f-changed-label").hidden = !pairs;

    let waiting = 0;
    byId("f-q").addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(() => set({ q: byId("f-q").value }), 150); });
    for (const name of ["verdict", "tag", "target"]) byId(`f-${name}`).addEventListener("change", (event) => set({ [name]: event.target.value }));
    byId("f-changed").addEventListener("change", (event) => set({ changed: event.target.checked ? "1" : "" }));
    byId("f-sort").addEventListener("change", (event) => { const [sort, dir] = event.target.value.split(" "); set({ sort: sort || "", dir: dir || "" }); });
    byId("f-clear").addEventListener("click", () => set(NONE));
    byId("filter").addEventListener("submit", (event) => event.preventDefault());
    byId("more-button").addEventListener("click", () => grow(SLICE));
    addEventListener("hashchange", () => { if (location.hash.includes("=")) { read(); fill(); show(); byId("cases").scrollIntoView(); } });
    const folded = () => document.querySelectorAll("section > details:not([open])");
    let opened = [];
    addEventListener("beforeprint", () => {  // on paper nothing can be opened
      opened = [...folded()];
      for (const part of opened) part.open = true;
      if (listed < PRINTED) grow(PRINTED - listed);
    });
    addEventListener("afterprint", () => { for (const part of opened) part.open = false; });
  }
  function headings() {
    const line = make("tr", { role: "row" });
    for (const column of columns) {
      const heading = make("th", { scope: "col", role: "columnheader", class: `c-${column.key}${column.number ? " number" : ""}` });
      if (column.value) {
        const button = make("button", { type: "button" }, column.title);
        button.addEventListener("click", () => set({ sort: column.key, dir: (state.sort || "status") === column.key && state.dir !== "down" ? "down" : "up" }));
        heading.append(button);
      } else heading.append(column.title);
      line.append(heading);
    }
    table.tHead.append(line);
    table.tHead.setAttribute("role", "rowgroup");
    body.setAttribute("role", "rowgroup");
    table.setAttribute("role", "table");
    table.setAttribute("aria-labelledby", "cases");
  }

  headings();
  controls();
  read();
  fill();
  show();
  byId("filter").hidden = false;
  table.hidden = false;
})();
