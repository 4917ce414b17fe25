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
if (document.querySelector("nav")) setInterval(look, 2000);
