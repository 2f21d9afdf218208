// What scrolls inside of the page can be reached with the keyboard, and only that.
function reachScrollers() {
  for (const element of document.querySelectorAll(".scroll")) {
    const scrolls = element.scrollWidth > element.clientWidth || element.scrollHeight > element.clientHeight;
    if (scrolls && !element.hasAttribute("tabindex")) {
      const heading = element.closest("section, main").querySelector("h1, h2");
      element.setAttribute("tabindex", "0");
      element.setAttribute("role", "region");
      element.setAttribute("aria-label", heading ? heading.textContent.trim() : "Table");
    }
  }
}

window.addEventListener("load", reachScrollers);
window.addEventListener("resize", reachScrollers);
document.addEventListener("toggle", reachScrollers, true); // a <details> that opens
