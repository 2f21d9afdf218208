// The table of all runs: sorted, filtered, and two of them compared.
const allRuns = {
  SHOWN: 100, // more rows come when they are asked for
  COLUMNS: [
    { key: "id", title: "Run" },
    { key: "started", title: "When", show: (run) => allRuns.when(run.started) },
    { key: "state", title: "State" },
    { key: "secs", title: "Duration", number: true, show: (run) => run.duration },
    { key: "images", title: "Images", number: true, show: (run) => allRuns.counted(run.images) },
    { key: "top_1", title: "Top-1", number: true, show: (run) => allRuns.share(run) },
    { key: "verdict", title: "Verdict", wide: true },
    { key: "pushed", title: "Pushed" },
    { key: "dataset", title: "Dataset", show: (run) => run.dataset || "-" },
  ],

  start() {
    this.runs = embedded("runs-data");
    this.ticked = [];
    this.limit = this.SHOWN;
    this.order = { key: "started", down: true };
    this.form = document.getElementById("filters");
    this.form.addEventListener("input", () => this.again());
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.options("state");
    this.options("dataset");
    document.getElementById("more").addEventListener("click", () => { this.limit += 5 * this.SHOWN; this.draw(); });
    for (const button of document.querySelectorAll("[data-dataset]")) {
      button.addEventListener("click", () => this.ofDataset(button.dataset.dataset));
    }
    this.head();
    this.draw();
    this.compare();
  },

  when(iso) {
    const time = new Date(iso);
    const two = (number) => String(number).padStart(2, "0");
    return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())} ` +
      `${two(time.getHours())}:${two(time.getMinutes())}`;
  },

  counted(number) {
    return number === null ? "-" : number.toLocaleString("en");
  },

  share(run) {
    const text = (value) => value.toFixed(4);
    const interval = run.low === null || run.high === null ? "" : ` [${text(run.low)}, ${text(run.high)}]`;
    return run.top_1 === null ? "-" : text(run.top_1) + interval;
  },

  options(name) {
    const values = [...new Set(this.runs.map((run) => run[name]))].filter(Boolean);
    this.form.elements[name].append(...values.map((value) => make("option", { value }, value)));
  },

  ofDataset(digest) {
    this.form.reset();
    this.form.elements.dataset.value = digest;
    this.again();
    document.getElementById("runs").scrollIntoView();
    this.form.elements.dataset.focus();
  },

  again() {
    this.limit = this.SHOWN;
    this.draw();
  },

  head() {
    const row = document.querySelector("#runs-table thead tr");
    for (const column of this.COLUMNS) {
      const button = make("button", { type: "button" }, column.title);
      button.addEventListener("click", () => this.sort(column.key));
      row.append(make("th", { scope: "col", class: column.number && "number", "data-key": column.key }, button));
    }
  },

  sort(key) {
    const same = this.order.key === key;
    this.order = { key, down: same ? !this.order.down : ["started", "secs", "images", "top_1"].includes(key) };
    this.again();
  },

  found() {
    const { text, state, dataset } = this.form.elements;
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (run) => (!state.value || run.state === state.value) &&
      (!dataset.value || run.dataset === dataset.value) &&
      words.every((word) => [run.id, run.state, run.verdict, run.pushed, run.dataset, this.when(run.started)]
        .some((value) => value.toLowerCase().includes(word)));
    const { key, down } = this.order;
    const empty = (value) => value === null || value === "-" || value === "";
    return this.runs.filter(fits).sort((a, b) => {
      if (empty(a[key]) || empty(b[key])) { // last, whichever way
        return Number(empty(a[key])) - Number(empty(b[key]));
      }
      const compared = typeof a[key] === "number" ? a[key] - b[key] : a[key].localeCompare(b[key]);
      return down ? -compared : compared;
    });
  },

  draw() {
    const found = this.found();
    const shown = found.slice(0, this.limit);
    document.querySelector("#runs-table tbody").replaceChildren(...shown.map((run) => this.row(run)));
    for (const head of document.querySelectorAll("#runs-table th[data-key]")) {
      const sorted = head.dataset.key === this.order.key;
      head.setAttribute("aria-sort", sorted ? (this.order.down ? "descending" : "ascending") : "none");
    }
    const all = found.length === this.runs.length ? "" : ` of ${this.counted(this.runs.length)}`;
    const part = shown.length < found.length ? `, the first ${this.counted(shown.length)} are shown` : "";
    document.getElementById("count").textContent = `${this.counted(found.length)}${all} runs${part}`;
    document.getElementById("more").hidden = shown.length === found.length;
    reachScrollers();
  },

  row(run) {
    const picked = this.ticked.includes(run.id);
    const box = make("input", { type: "checkbox", "aria-label": `Tick run ${run.id}`, disabled: !run.kept });
    box.checked = picked;
    box.addEventListener("change", () => this.tick(run.id, box.checked));
    const cells = this.COLUMNS.map((column) => {
      const text = column.show ? column.show(run) : run[column.key];
      const kind = column.number ? "number" : column.wide ? "path" : column.key === "state" ? `state-${run.state.replace(" ", "-")}` : null;
      const link = column.key === "id" && run.page;
      return make("td", { class: kind }, link ? make("a", { href: `${encodeURIComponent(run.id)}/index.html` }, text) : text);
    });
    return make("tr", { class: picked && "picked" }, make("td", {}, box), ...cells);
  },

  tick(id, on) {
    // A third one takes the place of the first.
    this.ticked = on ? [...this.ticked, id].slice(-2) : this.ticked.filter((other) => other !== id);
    for (const row of document.querySelectorAll("#runs-table tbody tr")) {
      const box = row.querySelector("input");
      box.checked = this.ticked.includes(box.getAttribute("aria-label").slice("Tick run ".length));
      row.classList.toggle("picked", box.checked);
    }
    this.compare();
  },

  compare() {
    const link = document.getElementById("compare");
    const starts = new Map(this.runs.map((run) => [run.id, run.started]));
    const [first, second] = [...this.ticked].sort((a, b) => starts.get(a).localeCompare(starts.get(b)));
    const said = ["tick two runs", `${first}; tick another one`, `${first} and ${second}`];
    document.getElementById("ticked").textContent = said[this.ticked.length];
    if (second) {
      link.setAttribute("href", `compare.html#${encodeURIComponent(first)}/${encodeURIComponent(second)}`);
      link.removeAttribute("aria-disabled");
    } else {
      link.removeAttribute("href");
      link.setAttribute("aria-disabled", "true");
    }
  },
};

allRuns.start();
