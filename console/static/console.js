"use strict";
// Every page works without this: it shows what is new on a page, and that a router went away or came back.
const items = [...document.querySelectorAll("[data-item]")].map((card) => card.dataset.item);
if (items.length) {
  // Of each shopper's page and product page by itself.
  const asked = new URLSearchParams(location.search);
  const shown = "shopfront.shown|" + asked.get("user") + "|" + (asked.get("item") || "");
  const before = JSON.parse(sessionStorage.getItem(shown) || "[]");
  document.querySelectorAll("[data-item]").forEach((card) => {
    if (before.length && !before.includes(card.dataset.item)) card.classList.add("new");
  });
  sessionStorage.setItem(shown, JSON.stringify(items));
}
async function look() {
  if (document.hidden) return;
  const status = document.getElementById("status");
  try {
    const answer = await fetch("/status", { redirect: "error" });
    const state = await answer.json();
    if (status.dataset.kind === "down" && state.kind === "up") { location.reload(); return; }
    status.dataset.kind = state.kind;
    status.className = "status " + state.kind;
    status.title = state.detail;
    status.textContent = state.router + " " + state.text;
  } catch (error) {
    status.dataset.kind = "down";
    status.className = "status down";
    status.textContent = "the console does not answer";
  }
}
// Parts of a page that change while somebody looks; a form below them stays as it is typed.
async function follow() {
  const shown = document.querySelectorAll("[data-live]");
  if (document.hidden || [...shown].some((part) => part.contains(document.activeElement))) return;
  try {
    const answer = await fetch(location.href, { redirect: "error" });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const now = page.querySelectorAll("[data-live]");
    // A page that says less than before, since the router is away, is left as it was.
    if (now.length !== shown.length) return;
    const typed = [...document.querySelectorAll("main input:not([type=hidden])")].some((field) => field.value !== field.defaultValue);
    if (!typed && [...now].some((part, at) => part.dataset.live !== shown[at].dataset.live)) { location.reload(); return; }
    now.forEach((part, at) => shown[at].replaceChildren(...part.childNodes));
  } catch (error) {
    // `look` says that the console does not answer.
  }
}
if (document.querySelector("[data-live]")) setInterval(follow, 3000);
if (document.querySelector("nav")) setInterval(look, 2000);
