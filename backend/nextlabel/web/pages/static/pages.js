// Live pages: htmx asks every three seconds. What has not changed is not sent, and a hidden page does not ask.
"use strict";
(() => {
  const tags = new WeakMap();
  const stale = (is) => { document.getElementById("stale").hidden = !is; };

  document.addEventListener("htmx:before:request", (event) => {
    const { ctx } = event.detail;
    const tag = tags.get(ctx.sourceElement);
    if (document.hidden) event.preventDefault();
    else if (tag) ctx.request.headers["If-None-Match"] = tag;
  });
  document.addEventListener("htmx:after:request", (event) => {
    const { ctx } = event.detail;
    stale(ctx.response.status >= 400);
    if (ctx.response.status === 200) tags.set(ctx.sourceElement, ctx.response.headers.get("ETag"));
  });
  document.addEventListener("htmx:error", () => stale(true));
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) htmx.trigger(document.getElementById("live"), "every");
  });
})();
