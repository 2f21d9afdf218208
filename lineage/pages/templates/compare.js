// Only what differs between the two runs in the address, `#FIRST/SECOND`. What each has to say
// lies in its folder, as a script, since a page from a disk may load nothing else.
const kept = new Map();

// Called by the file of a run.
function keptRun(run) {
  kept.set(run.id, run);
}

const comparison = {
  MAX_FILES: 100,
  MAX_CLASSES: 25,

  async start() {
    const place = document.getElementById("comparison");
    const ids = decodeURIComponent(location.hash.slice(1)).split("/");
    if (ids.length !== 2 || !ids.every((id) => /^[\w-][\w.-]*$/.test(id))) {
      place.replaceChildren(make("p", { class: "said" }, "Choose two runs on the page of all runs."));
      return;
    }
    await Promise.all(ids.map((id) => this.load(id)));
    const missing = ids.filter((id) => !kept.has(id));
    if (missing.length > 0) {
      place.replaceChildren(make("p", { class: "said" },
        `Run ${missing.join(" and run ")} kept nothing for comparisons in its folder; but `, this.command(ids), " may tell."));
      return;
    }
    const [before, after] = ids.map((id) => kept.get(id));
    document.title = `${before.id} and ${after.id}`;
    place.replaceChildren(...this.content(before, after));
    reachScrollers();
  },

  load(id) {
    return new Promise((done) => {
      const script = make("script", { src: `${encodeURIComponent(id)}/compare.js` });
      script.onload = done;
      script.onerror = done; // what is missing is told below
      document.head.append(script);
    });
  },

  command(ids) {
    return make("code", {}, `effnet runs --compare ${ids.join(" ")} --format html`);
  },

  content(before, after) {
    const sections = [
      ["Runs", this.table(this.changes(before.runs, after.runs))],
      ["Settings", this.table(this.changes(before.settings, after.settings))],
      ["Data", this.data(before, after)],
      ["Code", this.code(before, after)],
      ["Versions and machine", this.table([...this.changes(before.versions, after.versions), ...this.changes(before.machine, after.machine)])],
      ["Metrics", [...this.table(this.changes(before.metrics, after.metrics)), ...this.paired(before, after)]],
      ["Classes, the worst change first", this.shares(before.recalls, after.recalls, "Class", "Recall")],
      ["Slices, the worst change first", this.shares(before.slices, after.slices, "Slice", "Top-1")],
    ].filter(([, content]) => content.length > 0);
    const card = (run, word) => make("div", {}, make("b", {}, `${word}: `),
      make("a", { href: `${encodeURIComponent(run.id)}/index.html` }, run.id), make("div", { class: "soft" }, run.said));
    return [
      make("p", { class: "said" }, this.verdict(before, after)),
      make("div", { class: "pair" }, card(before, "First"), card(after, "Second")),
      ...sections.map(([title, content], i) => make("section", { "aria-labelledby": `part-${i}` },
        make("h2", { id: `part-${i}` }, title), ...content)),
      make("p", { class: "soft" }, "What is the same is left out. With pictures of the images that came, went or are answered otherwise: ",
        this.command([before.id, after.id])),
    ];
  },

  verdict(before, after) {
    if (before.top_1 === null || after.top_1 === null) {
      const missing = before.top_1 === null ? before : after;
      return `Run ${missing.id} has no evaluation.`;
    }
    const change = after.top_1 - before.top_1;
    const word = change < 0 ? "worse" : change > 0 ? "better" : "as good";
    const text = `Run ${after.id} is ${word}: top-1 ${before.top_1.toFixed(4)} → ${after.top_1.toFixed(4)}`;
    if (before.model && before.model === after.model) {
      return `${text}; it is the same model.`;
    }
    const overlap = before.top_1_low !== null && after.top_1_low !== null &&
      Math.max(before.top_1_low, after.top_1_low) <= Math.min(before.top_1_high, after.top_1_high);
    return `${text}${overlap && change !== 0 ? "; the intervals overlap, so that it may be chance" : ""}.`;
  },

  // Names and both values of what differs, in the order of the first.
  changes(before, after) {
    const names = [...Object.keys(before), ...Object.keys(after).filter((name) => !(name in before))];
    const value = (values, name) => (name in values ? values[name] : null);
    return names
      .map((name) => ({ name, before: value(before, name), after: value(after, name) }))
      .filter((change) => JSON.stringify(change.before) !== JSON.stringify(change.after));
  },

  data(before, after) {
    const classes = this.changes(before.classes, after.classes);
    const rows = [...this.changes(before.source, after.source), ...classes];
    const content = this.table(rows.slice(0, this.MAX_FILES));
    if (rows.length > this.MAX_FILES) {
      content.push(make("p", { class: "soft" }, `and ${rows.length - this.MAX_FILES} more`));
    }
    if (before.dataset !== after.dataset) {
      content.unshift(make("p", {}, classes.length
        ? "The datasets differ; these classes have other numbers of images:"
        : "The datasets differ, in images and not in their number."));
    }
    return content;
  },

  code(before, after) {
    if (before.commit === null || after.commit === null) {
      return [];
    }
    const content = this.table(this.changes({ commit: before.commit }, { commit: after.commit }));
    const files = this.changes(before.files, after.files);
    const names = files.map((file) => file.name + (file.before === null ? " (new)" : file.after === null ? " (gone)" : ""));
    if (names.length > 0) {
      content.push(make("p", {}, `${names.length} ${names.length === 1 ? "file differs" : "files differ"}:`),
        make("ul", {}, ...names.slice(0, this.MAX_FILES).map((name) => make("li", { class: "path" }, name))));
    }
    if (names.length > this.MAX_FILES) {
      content.push(make("p", { class: "soft" }, `and ${names.length - this.MAX_FILES} more`));
    }
    return content;
  },

  // The gate's own test, where one of the models was the baseline of the other.
  paired(before, after) {
    for (const [one, other, sign] of [[before, after, 1], [after, before, -1]]) {
      if (one.model && other.baseline === one.model && other.change) {
        const { estimate, low, high, p_value: p, gained, lost, images } = other.change;
        const ends = [sign * low, sign * high].sort((a, b) => a - b).map((end) => this.signed(end));
        const [won, gone] = sign > 0 ? [gained, lost] : [lost, gained];
        return [make("p", {}, `On the same ${images} images: top-1 changes by ${this.signed(sign * estimate)} ` +
          `[${ends.join(", ")}], p = ${Number(p.toPrecision(2))} (McNemar); ${won} gained, ${gone} lost.`)];
      }
    }
    return [];
  },

  shares(before, after, what, measure) {
    const found = Object.keys(before)
      .filter((name) => name in after && before[name][0] !== after[name][0])
      .map((name) => ({ name, before: before[name], after: after[name], change: after[name][0] - before[name][0] }))
      .sort((a, b) => a.change - b.change || (a.name < b.name ? -1 : 1));
    // The worst, and the best.
    const half = this.MAX_CLASSES;
    const shown = found.length > 2 * half ? [...found.slice(0, half), ...found.slice(-half)] : found;
    const content = this.rows([what, `${measure} first`, "second", "Change", "Images"], shown.map((entry) => [
      entry.name, entry.before[0].toFixed(4), entry.after[0].toFixed(4),
      make("span", { class: entry.change < 0 ? "worse" : "better" }, this.signed(entry.change)),
      `${entry.before[1]}, ${entry.after[1]}`]), [1, 2, 3, 4]);
    if (shown.length < found.length) {
      content.push(make("p", { class: "soft" }, `${found.length - shown.length} in between are left out`));
    }
    return content;
  },

  signed(number) {
    return (number < 0 ? "−" : "+") + Math.abs(number).toFixed(4);
  },

  table(changes) {
    return this.rows(["", "First", "Second"], changes.map((change) => [change.name, this.text(change.before), this.text(change.after)]));
  },

  rows(head, rows, numbers = []) {
    if (rows.length === 0) {
      return [];
    }
    const kind = (i) => (numbers.includes(i) ? "number" : null);
    const titles = head.map((title, i) => (title ? make("th", { scope: "col", class: kind(i) }, title) : make("td", {})));
    return [make("div", { class: "scroll" }, make("table", { class: head.length === 3 && "sides" },
      make("thead", {}, make("tr", {}, ...titles)),
      make("tbody", {}, ...rows.map((row) => make("tr", {},
        ...row.map((cell, i) => make("td", { class: kind(i) }, cell)))))))];
  },

  text(value) {
    if (value === null) {
      return "-";
    }
    if (typeof value === "number" && !Number.isInteger(value) && Math.abs(value) >= 1e-4) {
      return value.toFixed(4);
    }
    return typeof value === "string" ? value : JSON.stringify(value);
  },
};

window.addEventListener("hashchange", () => location.reload());
comparison.start();
