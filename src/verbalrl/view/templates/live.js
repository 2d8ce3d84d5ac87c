// Looks again at the part of the page that changes, as long as the run goes on.
"use strict";
const part = document.querySelector("[data-live]");
if (part) {
  const look = async () => {
    const answer = await fetch(part.dataset.live, { credentials: "same-origin" });
    if (!answer.ok) return;
    part.innerHTML = await answer.text();
    if (part.querySelector("[data-going]")) setTimeout(look, 2000);
    else location.reload();
  };
  setTimeout(look, 2000);
}
