// Ours, and all of it: local formats, live parts, keys, copying, asking before what cannot be undone.
"use strict";
(() => {
  const root = document.documentElement;
  const every = (selector, act, from = document) => from.querySelectorAll(selector).forEach(act);

  // Numbers and instants as this browser writes them; what the server wrote stays in the attributes.
  const numbers = new Intl.NumberFormat();
  const zoned = () => (root.dataset.zone === "browser" ? Intl.DateTimeFormat().resolvedOptions().timeZone : null);
  const two = (n) => String(n).padStart(2, "0");
  const months = Array.from({ length: 12 }, (_, m) => new Intl.DateTimeFormat("en", { month: "short" }).format(new Date(2026, m, 1)));

  const shown = (at, form) => {
    const now = new Date();
    const clock = `${two(at.getHours())}:${two(at.getMinutes())}`;
    const day = `${at.getDate()} ${months[at.getMonth()]}`;
    if (form === "full") return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${clock}:${two(at.getSeconds())}`;
    if (form === "day") return at.getFullYear() === now.getFullYear() ? day : `${day} ${at.getFullYear()}`;
    if (at.toDateString() === now.toDateString()) return clock;
    return at.getFullYear() === now.getFullYear() ? `${day} ${clock}` : `${day} ${at.getFullYear()}`;
  };

  const localise = () => {
    every("data[value]", (element) => {
      const text = element.textContent;
      const plain = /^\D*\d/.test(text) && Number.isFinite(+element.value) ? element.value : "";
      if (!plain || element.dataset.shown === text) return;
      const digits = (text.split(".")[1] || "").length;  // as the server shows them: 49.90, not 49.9
      const money = text.match(/^[A-Z]{3}\u00a0/);
      const made = (money ? money[0] : "") + (digits || money ? new Intl.NumberFormat(undefined, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(plain) : numbers.format(plain));
      if (made !== text) element.textContent = made;
      element.dataset.shown = element.textContent;
    });
    const zone = zoned();
    if (!zone) return;
    every("[data-zone-name]", (element) => { element.textContent = zone; });
    every("time[datetime]", (element) => { element.textContent = shown(new Date(element.dateTime), element.dataset.form); });
  };

  // Live parts: asked for again while somebody looks; never while the pointer or the focus is on a row or a form.
  const part = () => document.getElementById("live");
  const occupied = (live) => live.querySelector("tbody tr:hover, details.pop[open], dialog[open]") || live.querySelector(".scroll :focus, form :focus, textarea:focus");
  const hands = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium", timeZone: zoned() || root.dataset.clock });
  const clock = () => hands.format(new Date());  // in the zone of all other times of the page
  let asked = Date.now();
  const tell = (text) => every("[data-pulse]", (element) => { element.textContent = text; });
  setInterval(() => {
    const live = part();
    if (!live || document.hidden || Date.now() - asked < live.dataset.every * 1000 - 100) return;
    if (occupied(live)) { tell("paused while you are on it"); return; }
    asked = Date.now();
    live.dispatchEvent(new CustomEvent("poll"));
  }, 500);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) asked = 0; });

  document.addEventListener("htmx:after:swap", (event) => {
    if ((event.detail?.ctx?.response?.status ?? 200) >= 400) return;  // nothing was put in place
    localise();
    missed = "";
    tell(`updated ${clock()}`);
    const newer = document.querySelector(".newer");
    const said = document.getElementById("announce");
    if (said && newer && said.textContent !== newer.textContent) said.textContent = newer.textContent;
  });
  let missed = "";  // since when the answers are missing; what stands on the page stays there meanwhile
  const miss = () => { missed = missed || clock(); tell(`not reached since ${missed}, trying again`); };
  document.addEventListener("htmx:error", miss);
  document.addEventListener("htmx:response:error", miss);

  // Keys.
  const single = () => localStorage.getItem("single-keys") !== "off";
  const box = document.getElementById("single-keys");
  if (box) {
    box.checked = single();
    box.addEventListener("change", () => localStorage.setItem("single-keys", box.checked ? "on" : "off"));
  }
  const help = () => { const dialog = document.getElementById("keys-help"); if (dialog && !dialog.open) dialog.showModal(); };
  document.addEventListener("keydown", (event) => {  // a field whose Enter belongs to a button other than the form's first
    const button = event.key === "Enter" && !event.isComposing && document.getElementById(event.target.dataset?.enter);
    if (button) { event.preventDefault(); button.click(); }
  });
  const shut = (pop) => { const inside = pop.contains(document.activeElement); pop.open = false; if (inside) pop.querySelector("summary").focus(); };
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") every("details.pop[open]", shut); });
  let going = 0;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !single()) return;
    if (event.target.matches("input, textarea, select, [contenteditable]")) return;
    if (event.key === "/") {
      const field = document.getElementById("q");
      if (field) { event.preventDefault(); field.focus(); field.select(); }
    } else if (event.key === "?") {
      help();
    } else if (event.key === "g") {
      going = Date.now();
    } else if (Date.now() - going < 1500) {
      const link = document.querySelector(`.side a[data-key="${CSS.escape(event.key)}"]`);
      if (link) link.click();
      going = 0;
    }
  });

  // Clicks and forms.
  document.addEventListener("click", (event) => {
    every("details.pop[open]", (pop) => { if (!pop.contains(event.target)) pop.open = false; });
    const copy = event.target.closest("[data-copy]");
    if (copy) {
      const text = document.getElementById(copy.dataset.copy).textContent;
      const said = (word) => { copy.textContent = word; setTimeout(() => { copy.textContent = "Copy"; }, 1500); };
      navigator.clipboard.writeText(text).then(() => said("Copied"), () => said("Select it by hand"));
    }
    const opener = event.target.closest("[data-open]");
    if (opener && opener.dataset.open === "keys-help") help();
  });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.sure && !confirm(form.dataset.sure)) { event.preventDefault(); return; }
    if (form.dataset.sent) { event.preventDefault(); return; }
    if (form.method === "post") {
      form.dataset.sent = "1";
      setTimeout(() => { delete form.dataset.sent; }, 3000);
    }
  });
  every("form[data-autosubmit]", (form) => form.requestSubmit());
  every("[data-change-submits]", (element) => element.addEventListener("change", () => element.form.requestSubmit()));
  every(".drop", (zone) => {
    const field = zone.querySelector("input[type=file]");
    zone.addEventListener("dragover", (event) => { event.preventDefault(); zone.classList.add("over"); });
    zone.addEventListener("dragleave", () => zone.classList.remove("over"));
    zone.addEventListener("drop", (event) => {
      event.preventDefault();
      zone.classList.remove("over");
      if (event.dataTransfer.files.length) field.files = event.dataTransfer.files;
    });
  });

  localise();
})();
