for (const slider of document.querySelectorAll(".before-after:not([data-ready])")) {
  slider.dataset.ready = "";
  const stage = slider.querySelector(".stage");
  const position = slider.querySelector(".position");
  const pictures = [...stage.querySelectorAll("img")];
  const names = { left: slider.querySelector(".of-left"), right: slider.querySelector(".of-right") };
  const choices = { left: slider.querySelector("[name=left]"), right: slider.querySelector("[name=right]") };
  const shown = {
    left: pictures.findIndex((picture) => picture.classList.contains("left")),
    right: pictures.findIndex((picture) => picture.classList.contains("right")),
  };

  const move = () => {
    const at = Number(position.value);
    slider.style.setProperty("--ba-at", `${at}%`);
    const [left, right] = [names.left.textContent, names.right.textContent];
    position.setAttribute("aria-label", `Divider: ${left} on the left, ${right} on the right`);
    position.setAttribute("aria-valuetext", `${at} % ${left}, ${100 - at} % ${right}`);
    const x = (at / 100) * stage.clientWidth;
    names.left.classList.toggle("covered", names.left.offsetLeft + names.left.offsetWidth > x);
    names.right.classList.toggle("covered", names.right.offsetLeft < x);
  };

  const show = () => {
    pictures.forEach((picture, index) => {
      const side = Object.keys(shown).find((key) => shown[key] === index);
      picture.className = side ?? "";
      picture.hidden = !side;
    });
    for (const side of ["left", "right"]) {
      names[side].textContent = pictures[shown[side]].dataset.name;
      if (choices[side]) choices[side].value = shown[side];
    }
    move();
  };

  const choose = (side, other) => () => {
    const [before, chosen] = [shown[side], Number(choices[side].value)];
    if (chosen === shown[other]) shown[other] = before; // the sides change places
    shown[side] = chosen;
    show();
  };
  choices.left?.addEventListener("change", choose("left", "right"));
  choices.right?.addEventListener("change", choose("right", "left"));

  const drag = (event) => {
    const { left, width } = stage.getBoundingClientRect();
    position.value = (100 * (event.clientX - left)) / width;
    move();
  };
  stage.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    stage.setPointerCapture(event.pointerId);
    position.focus({ preventScroll: true }); // so that the arrow keys go on from here
    event.preventDefault();
    drag(event);
  });
  stage.addEventListener("pointermove", (event) => {
    if (stage.hasPointerCapture(event.pointerId)) drag(event);
  });
  position.addEventListener("input", move);
  new ResizeObserver(move).observe(stage);
  show();
}
