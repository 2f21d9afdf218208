// The confusion matrix on a canvas: thousands of classes at a glance, or a few with their names.
const matrix = {
  NAMES_FROM_PX: 13, // the size of a cell from which names are written
  NUMBERS_FROM_PX: 26,
  MAX_CELL_PX: 64,
  MAX_SIDE_PX: 720,

  start() {
    this.data = embedded("matrix-data");
    this.size = this.data.names.length;
    // What is right is drawn last, so that the diagonal stays whole where cells are tiny.
    this.data.cells.sort((a, b) => Number(a[0] === a[1]) - Number(b[0] === b[1]));
    this.counts = new Map(this.data.cells.map(([row, column, count]) => [row * this.size + column, count]));
    this.box = document.getElementById("matrix");
    this.canvas = this.box.querySelector("canvas");
    this.cursor = null;
    document.getElementById("matrix-names").append(...this.data.names.map((name) => make("option", { value: name })));
    document.querySelectorAll("[data-zoom]").forEach((button) => {
      button.addEventListener("click", () => this.zoom(button.dataset.zoom));
    });
    document.getElementById("matrix-find").addEventListener("change", (event) => this.find(event.target.value));
    this.listen();
    let width = 0;
    new ResizeObserver(() => {
      if (this.box.clientWidth !== width) {
        width = this.box.clientWidth;
        this.fit();
      }
    }).observe(this.box);
    theme.follow(() => this.cell && this.draw());
  },

  // The size of the canvas and its margins; the whole matrix is shown.
  fit() {
    const width = Math.min(this.box.clientWidth, this.MAX_SIDE_PX + 140);
    const context = this.canvas.getContext("2d");
    context.font = this.font(12);
    const longest = Math.max(...this.data.names.map((name) => context.measureText(name).width));
    const margin = Math.min(longest + 14, width * 0.28);
    // Names only where they can be read when all is shown, or when one goes closer.
    this.left = margin;
    this.top = Math.min(longest + 14, 100);
    const room = Math.min(width - this.left, this.MAX_SIDE_PX);
    this.whole = Math.min(room / this.size, this.MAX_CELL_PX);
    this.side = this.whole * this.size;
    this.cell = this.whole;
    [this.row, this.column] = [0, 0];
    const ratio = window.devicePixelRatio || 1;
    this.width = this.left + this.side;
    this.height = this.top + this.side;
    this.canvas.style.width = `${this.width}px`;
    this.canvas.style.height = `${this.height}px`;
    this.canvas.width = Math.round(this.width * ratio);
    this.canvas.height = Math.round(this.height * ratio);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.draw();
  },

  font(px) {
    return `${px}px ${getComputedStyle(document.body).fontFamily}`;
  },

  draw() {
    const context = this.canvas.getContext("2d");
    const shown = this.side / this.cell;
    context.clearRect(0, 0, this.width, this.height);
    context.fillStyle = theme.color("page");
    context.fillRect(this.left, this.top, this.side, this.side);
    context.save();
    context.beginPath();
    context.rect(this.left, this.top, this.side, this.side);
    context.clip();
    const colors = [theme.color("two"), theme.color("one")];
    const numbers = this.cell >= this.NUMBERS_FROM_PX;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.font = this.font(Math.min(13, this.cell * 0.42));
    // A mistake has to be seen also where a cell is smaller than a pixel.
    const least = { true: Math.max(this.cell, 1.2), false: Math.max(this.cell, 2) };
    for (const [row, column, count] of this.data.cells) {
      if (row < this.row - 1 || column < this.column - 1 || row > this.row + shown || column > this.column + shown) {
        continue;
      }
      const share = count / Math.max(this.data.totals[row], 1);
      const [x, y] = [this.left + (column - this.column) * this.cell, this.top + (row - this.row) * this.cell];
      const edge = least[row === column];
      const faintest = this.cell < 4 ? 0.45 : 0.18;
      context.globalAlpha = faintest + (1 - faintest) * Math.sqrt(share);
      context.fillStyle = colors[Number(row === column)];
      const gap = this.cell > 6 ? 1 : 0;
      context.fillRect(x, y, edge - gap, edge - gap);
      if (numbers) {
        context.globalAlpha = 1;
        context.fillStyle = 0.18 + 0.82 * Math.sqrt(share) > 0.6 ? theme.color("card") : theme.color("text");
        context.fillText(count, x + this.cell / 2, y + this.cell / 2);
      }
    }
    context.globalAlpha = 1;
    this.drawCursor(context);
    context.restore();
    this.drawNames(context, shown);
  },

  drawCursor(context) {
    if (this.cursor === null) {
      return;
    }
    const [row, column] = this.cursor;
    const edge = Math.max(this.cell, 6);
    context.strokeStyle = theme.color("text");
    context.lineWidth = 2;
    context.strokeRect(
      this.left + (column - this.column + 0.5) * this.cell - edge / 2,
      this.top + (row - this.row + 0.5) * this.cell - edge / 2, edge, edge);
  },

  drawNames(context, shown) {
    context.fillStyle = theme.color("soft");
    context.font = this.font(12);
    if (this.cell < this.NAMES_FROM_PX) {
      context.textAlign = "left";
      context.textBaseline = "alphabetic";
      context.fillText("what the model says →", this.left, this.top - 8);
      context.save();
      context.translate(this.left - 8, this.top);
      context.rotate(-Math.PI / 2);
      context.textAlign = "right";
      context.fillText("← what it is", 0, 0);
      context.restore();
      return;
    }
    const last = Math.min(this.size, Math.ceil(this.row + shown), this.size);
    context.textBaseline = "middle";
    context.textAlign = "right";
    for (let i = Math.max(Math.ceil(this.row - 0.5), 0); i < last; i++) {
      const y = this.top + (i - this.row + 0.5) * this.cell;
      if (y < this.height) {
        context.fillText(this.cut(context, this.data.names[i], this.left - 10), this.left - 6, y);
      }
    }
    context.textAlign = "left";
    for (let i = Math.max(Math.ceil(this.column - 0.5), 0); i < Math.min(this.size, Math.ceil(this.column + shown)); i++) {
      const x = this.left + (i - this.column + 0.5) * this.cell;
      if (x < this.width) {
        context.save();
        context.translate(x, this.top - 6);
        context.rotate(-Math.PI / 2);
        context.fillText(this.cut(context, this.data.names[i], this.top - 10), 0, 0);
        context.restore();
      }
    }
  },

  cut(context, name, width) {
    let text = name;
    while (text.length > 1 && context.measureText(text).width > width) {
      text = `${text.slice(0, text.endsWith("…") ? -2 : -1)}…`;
    }
    return text;
  },

  zoom(way, at = null) {
    const before = this.cell;
    const factor = { in: 1.6, out: 1 / 1.6, whole: 0 }[way];
    this.cell = Math.min(Math.max(this.cell * factor, this.whole), this.MAX_CELL_PX);
    const focus = at || this.cursor || [this.row + this.side / before / 2, this.column + this.side / before / 2];
    this.row = focus[0] - (focus[0] - this.row) * (before / this.cell);
    this.column = focus[1] - (focus[1] - this.column) * (before / this.cell);
    this.keepInside();
    this.draw();
  },

  keepInside() {
    const most = Math.max(this.size - this.side / this.cell, 0);
    this.row = Math.min(Math.max(this.row, 0), most);
    this.column = Math.min(Math.max(this.column, 0), most);
  },

  find(name) {
    const index = this.data.names.indexOf(name);
    if (index >= 0) {
      this.cell = Math.max(this.cell, Math.min(this.NUMBERS_FROM_PX, this.MAX_CELL_PX));
      [this.row, this.column] = [index - this.side / this.cell / 2, index - this.side / this.cell / 2];
      this.point([index, index]);
    }
  },

  // Puts the cursor on a cell, brings it into view and says what is in it.
  point(cell) {
    this.cursor = cell.map((i) => Math.min(Math.max(i, 0), this.size - 1));
    const [row, column] = this.cursor;
    const shown = this.side / this.cell;
    this.row = Math.max(Math.min(this.row, row), row - shown + 1);
    this.column = Math.max(Math.min(this.column, column), column - shown + 1);
    this.keepInside();
    const count = this.counts.get(row * this.size + column) || 0;
    const [total, is, said] = [this.data.totals[row], this.data.names[row], this.data.names[column]];
    const share = total ? `, ${((100 * count) / total).toFixed(1)} % of its ${total}` : "";
    document.getElementById("matrix-cell").textContent = row === column
      ? `${is} recognised: ${count} images${share}` : `${is} taken for ${said}: ${count} images${share}`;
    this.draw();
  },

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left - this.left, event.clientY - box.top - this.top];
    return [this.row + y / this.cell, this.column + x / this.cell];
  },

  listen() {
    const inside = (cell) => cell.every((i) => i >= 0 && i < this.size);
    let dragged = null;
    this.box.addEventListener("pointerdown", (event) => { dragged = { from: this.at(event), moved: false }; });
    window.addEventListener("pointerup", () => { dragged = null; });
    this.box.addEventListener("pointermove", (event) => {
      const cell = this.at(event);
      if (dragged !== null && this.cell > this.whole) {
        this.row += dragged.from[0] - cell[0];
        this.column += dragged.from[1] - cell[1];
        this.keepInside();
        this.draw();
      } else if (inside(cell)) {
        this.point(cell.map(Math.floor));
      }
    });
    this.box.addEventListener("dblclick", (event) => this.zoom("in", this.at(event)));
    this.box.addEventListener("wheel", (event) => {
      if (event.ctrlKey) { // without it, the page scrolls
        event.preventDefault();
        this.zoom(event.deltaY < 0 ? "in" : "out", this.at(event));
      }
    }, { passive: false });
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    this.box.addEventListener("keydown", (event) => {
      const move = moves[event.key];
      const zoom = { "+": "in", "-": "out" }[event.key];
      if (move) {
        const from = this.cursor || [Math.floor(this.row), Math.floor(this.column)];
        this.point(this.cursor ? [from[0] + move[0], from[1] + move[1]] : from);
      } else if (zoom) {
        this.zoom(zoom);
      }
      if (move || zoom) {
        event.preventDefault();
      }
    });
  },
};

matrix.start();
