"use strict";

{
  const found = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  byId("headline").textContent = headline(found);
  byId("about").textContent = `${found.calls} calls, ${found.turns} caller turns, ${found.unknown_turns} of them unknown; ${found.failed.length} calls could not be read. ${found.about}`;
  byId("cannot-know").textContent = found.cannot_know;
  fillCards(found, byId("cards"));
  drawActions(found, byId("charts"));
  if (enoughLabels(found)) drawTradeOff(found, byId("charts"));
  if (found.policies.some((policy) => transfersOf(policy) >= FEW)) drawLoad(found, byId("charts"));
  if (found.policies[0].negative_before_action.some((count) => count)) drawWaiting(found, byId("charts"));
  if (found.closed_loop) {
    byId("loop").hidden = false;
    showClosedLoop(found.closed_loop, { note: byId("loop-note"), charts: byId("loop-charts"), turns: byId("loop-turns") });
  }
  fillFigures(found, byId("figures"));
  if (found.calls_told.length) {
    byId("browser").hidden = false;
    byId("calls-note").textContent = `${found.calls_told.length} of ${found.calls} calls, some of each kind. Upper part: turns are shaded, stretches labelled negative are framed in red. Lower part, on a log-odds scale: readings, belief, and where the policy's levels begin; strained and distressed are shaded.`;
    openBrowser(found);
  }
  if (found.failed.length) {
    byId("failed").hidden = false;
    byId("failures").append(...found.failed.map((one) => element("li", {}, one.reason)));
  }
}
