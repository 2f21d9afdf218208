// Draws the charts of a page with Vega-Lite, in the page's colours and as wide as there is room.
const charts = {
  config() {
    const [text, soft, line] = ["text", "soft", "line"].map(theme.color);
    const [one, two] = ["one", "two"].map(theme.color);
    const font = getComputedStyle(document.body).fontFamily;
    return {
      background: null,
      font,
      view: { stroke: null },
      axis: {
        labelColor: soft, titleColor: soft, gridColor: line, domainColor: line, tickColor: line,
        labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal", tickCount: 5,
      },
      legend: {
        labelColor: text, titleColor: soft, labelFontSize: 12, titleFontSize: 12, orient: "top",
        titleFontWeight: "normal", symbolSize: 200, symbolStrokeWidth: 2,
      },
      range: { category: [one, two, theme.color("three"), soft] },
      mark: { color: one },
      line: { strokeWidth: 2 },
      point: { filled: true, size: 36 },
      style: {
        stage: { color: soft, strokeDash: [2, 3], fontSize: 11 },
        guide: { color: soft, strokeDash: [4, 4], strokeWidth: 1 },
        second: { color: two, strokeWidth: 3 },
        label: { color: text, fontSize: 11 },
      },
    };
  },

  // Draws a chart into an element; returns the view, on which a page may listen.
  async draw(element, spec) {
    const compiled = vegaLite.compile(spec, { config: charts.config() }).spec;
    const view = new vega.View(vega.parse(compiled), {
      container: element,
      renderer: "svg",
      hover: true,
    });
    await view.runAsync();
    // The chart is one picture to a screen reader; its numbers are in the table below.
    element.querySelector("svg").setAttribute("aria-hidden", "true");
    return view;
  },

  drawAll() {
    for (const figure of document.querySelectorAll("figure.chart")) {
      const element = figure.querySelector(".drawing");
      const spec = JSON.parse(figure.querySelector(".spec").textContent);
      let view = null;
      theme.follow(async () => {
        if (view !== null) {
          view.finalize();
        }
        view = null;
        view = await charts.draw(element, spec);
      });
    }
  },
};

charts.drawAll();
