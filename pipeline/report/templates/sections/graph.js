// The graph of the run: dagre lays it out, nodes are buttons, edges are lines below them.
const runGraph = {
  NODE: { width: 178, height: 52 },
  END: { width: 178, height: 48 },
  NARROW_PX: 560,
  WORDS: { ran: "ran", cached: "taken from an earlier run", failed: "failed", skipped: "did not run" },

  start() {
    this.data = embedded("graph-data");
    this.byId = new Map(this.data.nodes.map((node) => [node.id, node]));
    this.way = new Set(this.data.way.slice(1).map((id, i) => `${this.data.way[i]} ${id}`));
    this.canvas = document.getElementById("graph-canvas");
    this.selected = this.data.start;
    this.steps = 1;
    for (const button of document.querySelectorAll("[data-steps]")) {
      button.addEventListener("click", () => this.show(button.dataset.steps));
    }
    let width = 0;
    new ResizeObserver(() => {
      if (this.canvas.parentElement.clientWidth !== width) {
        width = this.canvas.parentElement.clientWidth;
        this.draw();
      }
    }).observe(this.canvas.parentElement);
    this.tell();
  },

  show(steps) {
    this.steps = { 1: 1, more: this.steps + 1, all: Infinity }[steps];
    if (this.steps !== Infinity && this.near(this.selected, this.steps).size === this.byId.size) {
      this.steps = Infinity;
    }
    this.draw();
  },

  select(id) {
    this.selected = id;
    this.draw();
    this.tell();
    this.canvas.querySelector(`[data-id="${CSS.escape(id)}"]`).focus();
  },

  // The ids of the nodes at most so many steps up and down from one.
  near(id, steps) {
    const found = new Set([id]);
    for (const [from, to] of [["from", "to"], ["to", "from"]]) {
      let border = [id];
      for (let step = 0; step < steps && border.length > 0; step++) {
        border = this.data.edges.filter((edge) => border.includes(edge[to])).map((edge) => edge[from]);
        border.forEach((other) => found.add(other));
      }
    }
    return steps === Infinity ? new Set(this.byId.keys()) : found;
  },

  draw() {
    const shown = this.near(this.selected, this.steps);
    const whole = shown.size === this.byId.size;
    for (const button of document.querySelectorAll("[data-steps]")) {
      const pressed = { 1: this.steps === 1, all: whole }[button.dataset.steps];
      if (pressed !== undefined) {
        button.setAttribute("aria-pressed", pressed);
      }
      button.disabled = button.dataset.steps === "more" && whole;
    }
    const edges = this.data.edges.filter((edge) => shown.has(edge.from) && shown.has(edge.to));
    const room = this.canvas.parentElement.clientWidth;
    // From left to right where there is room for it, else downwards.
    let layout = this.layout("LR", shown, edges, 1);
    const narrow = room < this.NARROW_PX;
    if (layout.graph().width > room) {
      layout = this.layout("TB", shown, edges, narrow ? 0.8 : 1);
    }
    this.canvas.classList.toggle("narrow", narrow);
    const { width, height } = layout.graph();
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${height}px`;
    const buttons = this.data.nodes
      .filter((node) => shown.has(node.id))
      .map((node) => this.button(node, layout.node(node.id), shown));
    this.canvas.replaceChildren(this.lines(edges, layout), ...buttons);
  },

  layout(direction, shown, edges, scale) {
    const layout = new dagre.graphlib.Graph().setDefaultEdgeLabel(() => ({}));
    layout.setGraph({ rankdir: direction, nodesep: 18, ranksep: 40, marginx: 14, marginy: 14 });
    for (const id of shown) {
      const size = this.byId.get(id).kind === "node" ? this.NODE : this.END;
      layout.setNode(id, { width: size.width * scale, height: size.height });
    }
    edges.forEach((edge) => layout.setEdge(edge.from, edge.to));
    dagre.layout(layout);
    return layout;
  },

  button(node, place, shown) {
    const neighbours = this.near(node.id, 1);
    const hidden = [...neighbours].filter((id) => !shown.has(id)).length;
    const said = node.kind === "node" ? `${node.state}, ${node.secs} s` : node.title;
    const button = make("button", {
      type: "button",
      class: `graph-node ${node.kind === "node" ? node.state : node.kind}`,
      "data-id": node.id,
      "aria-pressed": String(node.id === this.selected),
      style: `left:${place.x - place.width / 2}px; top:${place.y - place.height / 2}px; ` +
        `width:${place.width}px; height:${place.height}px`,
    },
    make("b", {}, node.kind === "node" ? node.id : node.kind === "data" ? "Images" : "Served model"),
    make("span", {},
      node.kind === "node" ? make("span", { class: `state ${node.state}` }, said) : said,
      hidden ? make("span", { class: "hidden", title: "neighbours that are not shown" }, ` +${hidden}`,
        make("span", { class: "visually-hidden" }, " not shown")) : null));
    button.addEventListener("click", () => this.select(node.id));
    return button;
  },

  lines(edges, layout) {
    const element = (name, attributes) => {
      const made = document.createElementNS("http://www.w3.org/2000/svg", name);
      Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
      return made;
    };
    const svg = element("svg", { "aria-hidden": "true" });
    const strong = (edge) => (this.way.has(`${edge.from} ${edge.to}`) ? " way" : "");
    for (const edge of [...edges].sort((a, b) => strong(a).length - strong(b).length)) {
      const points = layout.edge(edge.from, edge.to).points;
      const [last, before] = [points[points.length - 1], points[points.length - 2]];
      const middle = points.slice(1, -1);
      const path = `M${points[0].x},${points[0].y} ` +
        middle.map((p, i) => {
          const next = i === middle.length - 1 ? last : { x: (p.x + middle[i + 1].x) / 2, y: (p.y + middle[i + 1].y) / 2 };
          return `Q${p.x},${p.y} ${next.x},${next.y}`;
        }).join(" ");
      svg.append(element("path", { class: `edge${strong(edge)}`, d: path }));
      const angle = Math.atan2(last.y - before.y, last.x - before.x);
      const corner = (turn) => `${last.x - 9 * Math.cos(angle + turn)},${last.y - 9 * Math.sin(angle + turn)}`;
      svg.append(element("polygon", {
        class: `tip${strong(edge)}`, points: `${last.x},${last.y} ${corner(0.45)} ${corner(-0.45)}`,
      }));
    }
    return svg;
  },

  // What is known of the selected node.
  tell() {
    const node = this.byId.get(this.selected);
    const place = document.getElementById("graph-details");
    if (node.kind !== "node") {
      place.replaceChildren(make("h3", {}, node.kind === "data" ? "Images" : `Served model, ${node.title}`),
        make("div", { class: "path" }, node.text));
      return;
    }
    const memory = node.peak_memory_mb === null ? "" : `, ${Math.round(node.peak_memory_mb)} MB of memory at its peak`;
    place.replaceChildren(
      make("h3", {}, node.id),
      make("div", {}, make("span", { class: `state ${node.state}` }, this.WORDS[node.state]),
        node.state === "skipped" ? "" : ` in ${node.secs} s${memory}`),
      node.why ? make("div", { class: "soft path" }, node.why) : "",
      ...this.table("Inputs", ["Input", "Made by", "Where"], node.inputs.map((i) => [i.key, i.from, i.uri])),
      ...this.table("Outputs", ["Output", "Where"], node.outputs.map((o) => [o.key, o.uri])),
      ...this.folded("Settings", this.table(null, ["Setting", "Value"], node.settings), node.settings.length),
      ...this.folded("End of the log", node.log
        ? [make("pre", { class: "scroll", tabindex: "0", "aria-label": `End of the log of ${node.id}` }, node.log)] : [],
      node.log ? 1 : 0, node.state === "failed"),
    );
  },

  table(title, head, rows) {
    if (rows.length === 0) {
      return [];
    }
    const cells = (kind, values) => make("tr", {}, ...values.map((value) => make(kind, kind === "th" ? { scope: "col" } : {}, value)));
    const table = make("table", {}, make("thead", {}, cells("th", head)), make("tbody", {}, ...rows.map((row) => cells("td", row))));
    return [title && make("h4", {}, title), make("div", { class: "scroll" }, table)].filter(Boolean);
  },

  folded(title, content, count, open = false) {
    return count ? [make("details", { open }, make("summary", {}, title), ...content)] : [];
  },
};

runGraph.start();
