/* Followup: the only script of ours. Everything works without it. */
(() => {
  const $ = (s, r = document) => r.querySelector(s), $$ = (s, r = document) => [...r.querySelectorAll(s)];
  const keysOn = () => localStorage.getItem("keys") !== "off";

  document.addEventListener("click", (e) => {
    const opener = e.target.closest("[data-dialog]");
    if (opener) { e.preventDefault(); document.getElementById(opener.dataset.dialog).showModal(); }
    const undo = e.target.closest("[data-undo]");
    if (undo) undo.closest(".toast").hidden = true;
  });

  const sw = $("[data-keys-switch]");
  if (sw) { sw.checked = keysOn(); sw.addEventListener("change", () => localStorage.setItem("keys", sw.checked ? "on" : "off")); }

  let lead = "";
  document.addEventListener("keydown", (e) => {
    if (!keysOn() || e.ctrlKey || e.metaKey || e.altKey || e.target.closest("input, textarea, select, dialog")) return;
    const rows = $$(".row-name"), at = rows.indexOf(document.activeElement), row = rows[at]?.closest(".row");
    const go = (i) => rows[Math.max(0, Math.min(rows.length - 1, i))]?.focus();
    if (lead === "g") { lead = ""; const to = { w: "/", p: "/patients" }[e.key]; if (to) location.href = to; return; }
    const act = {
      j: () => go(at + 1), k: () => go(at - 1), g: () => { lead = "g"; setTimeout(() => (lead = ""), 1200); },
      a: () => (row || document).querySelector("[data-key=a]")?.focus(), c: () => (row || document).querySelector("[data-key=c]")?.focus(),
      n: () => $("[data-key=n]")?.focus(), "/": () => $("[type=search]")?.focus(), "?": () => $("#keys")?.showModal(),
    }[e.key];
    if (act) { e.preventDefault(); act(); }
  });

  /* Live preview: [data-preview=name] fields fill [data-slot=name] on the phone. The server renders the same on save. */
  const fill = () => $$("[data-preview]").forEach((f) => $$(`[data-slot=${f.dataset.preview}]`).forEach((s) => { s.textContent = f.value || s.dataset.empty || "…"; }));
  document.addEventListener("input", (e) => { if (e.target.matches("[data-preview]")) fill(); });
})();
