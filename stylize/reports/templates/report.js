{
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const screen = document.querySelector(".screen");
  if (screen) {
    const stages = [...document.querySelectorAll(".strip button")];
    const play = document.querySelector(".play");
    const note = document.querySelector(".stage-note");
    const strip = document.querySelector(".strip");
    let current = stages.length - 1;
    let timer;

    const show = (index) => {
      stages[current].removeAttribute("aria-current");
      current = index;
      const stage = stages[current];
      stage.setAttribute("aria-current", "true");
      note.textContent = stage.dataset.note;
      const picture = new Image();
      picture.alt = stage.dataset.note;
      picture.src = stage.querySelector("img").src;
      const before = [...screen.children];
      screen.append(picture);
      const clear = () => before.forEach((each) => each.remove());
      if (still.matches || !before.length) clear();
      else picture.animate([{ opacity: 0 }, { opacity: 1 }], 380).finished.then(clear, clear);
      // The strip alone is scrolled, never the page.
      const { left, width } = stage.getBoundingClientRect();
      const frame = strip.getBoundingClientRect();
      strip.scrollLeft += left + width / 2 - frame.left - frame.width / 2;
    };
    const pause = () => {
      clearInterval(timer);
      timer = undefined;
      play.textContent = "Play";
    };
    const next = () => {
      if (current < stages.length - 1) show(current + 1);
      if (current === stages.length - 1) pause();
    };
    const start = () => {
      if (current === stages.length - 1) show(0);
      timer = setInterval(next, 550);
      play.textContent = "Pause";
    };
    play.addEventListener("click", () => (timer ? pause() : start()));
    stages.forEach((stage, index) =>
      stage.addEventListener("click", () => {
        pause();
        show(index);
      }),
    );
    show(current);
    // It plays once by itself when it comes into view, for those who don't mind motion.
    const seen = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      seen.disconnect();
      if (!still.matches && !timer) start();
    }, { threshold: 0.6 });
    seen.observe(screen);
  }

  for (const copy of document.querySelectorAll(".copy")) {
    const command = copy.parentElement.querySelector("code");
    copy.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(command.textContent);
        copy.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(command); // what the clipboard refuses, the keyboard may copy
        copy.textContent = "Selected";
      }
      setTimeout(() => (copy.textContent = "Copy"), 2000);
    });
  }
}
