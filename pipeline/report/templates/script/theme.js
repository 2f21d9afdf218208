// The colours of the page, which a person's system chooses: light or dark.
const theme = {
  dark: window.matchMedia("(prefers-color-scheme: dark)"),

  color(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  },

  // Calls `draw` now, and again whenever the colours change.
  follow(draw) {
    draw();
    theme.dark.addEventListener("change", draw);
    // Paper is white.
    window.matchMedia("print").addEventListener("change", draw);
  },
};

// The value of a <script type="application/json">.
function embedded(id) {
  return JSON.parse(document.getElementById(id).textContent);
}

// An element with attributes and children, which are elements or texts.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}
