"use strict";
// Fetches the page every few seconds and replaces <main>. If that fails, a banner says so: data is never silently stale.
const period = Number(document.body.dataset.refreshSeconds) * 1000;
const banner = document.getElementById("banner");
const live = document.getElementById("live");
let timer;
let busy = false;
let failing = null;

const clock = () => new Date().toISOString().slice(11, 19) + " UTC";
const main = () => document.querySelector("main");
const shownAt = () => main().querySelector("footer time").textContent;

function say(text, kind) {
  if (banner.textContent !== text) banner.textContent = text;
  banner.className = kind;
  banner.hidden = text === "";
  document.body.classList.toggle("stale", kind === "alarm");
}

// For screen readers: read out when it changes, not at each refresh.
function announce() {
  const text = document.getElementById("verdict").innerText;
  if (live.textContent !== text) live.textContent = text;
}

function selecting() {
  const selection = getSelection();
  return !selection.isCollapsed && main().contains(selection.anchorNode);
}

// The row at the top of the window stays in place, even if other rows move.
function anchorRow() {
  if (scrollY === 0) return null;
  for (const row of main().querySelectorAll("tr[id]")) {
    const { top, bottom } = row.getBoundingClientRect();
    if (bottom > 0) return { id: row.id, top };
  }
  return null;
}

// The focused link, or summary, which has no href.
function focused() {
  const element = document.activeElement;
  const place = main().contains(element) ? element.closest("[id]") : null;
  return place && { id: place.id, href: element.getAttribute("href") };
}

function swap(next) {
  const anchor = anchorRow();
  const focus = focused();
  for (const each of main().querySelectorAll("details")) {
    const same = next.getElementById(each.id);
    if (same) same.open = each.open;
  }
  main().replaceWith(document.adoptNode(next.querySelector("main")));
  if (document.title !== next.title) document.title = next.title;
  announce();
  document.querySelector("link[rel=icon]").href = next.querySelector("link[rel=icon]").href;
  const row = anchor && document.getElementById(anchor.id);
  if (row) scrollBy(0, row.getBoundingClientRect().top - anchor.top);
  const place = focus && document.getElementById(focus.id);
  const candidates = place ? [...place.querySelectorAll("a, summary")] : [];
  candidates.find((each) => each.getAttribute("href") === focus.href)?.focus({ preventScroll: true });
}

async function load() {
  let response;
  try {
    response = await fetch(location.pathname, { cache: "no-store", signal: AbortSignal.timeout(10000) });
    if (!response.ok) return `The exporter has answered with status ${response.status}`;
    const next = new DOMParser().parseFromString(await response.text(), "text/html");
    if (!next.body.dataset.version) return "Another program has answered at the exporter's address";
    if (next.body.dataset.version !== document.body.dataset.version) location.reload();
    else swap(next);
    return null;
  } catch {
    return "The exporter has been unreachable";
  }
}

async function refresh() {
  clearTimeout(timer);
  if (busy) return;
  if (selecting()) {
    say(`Paused while text is selected. Showing data from ${shownAt()}.`, "note");
  } else {
    busy = true;
    const problem = await load();
    busy = false;
    if (problem === null) failing = null;
    else if (failing === null) failing = clock();
    say(problem === null ? "" : `${problem} since ${failing}. Showing data from ${shownAt()}.`, "alarm");
    if (problem === null) document.body.classList.remove("stale");
  }
  if (!document.hidden) timer = setTimeout(refresh, period);
}

announce();
document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : refresh()));
timer = setTimeout(refresh, period);
