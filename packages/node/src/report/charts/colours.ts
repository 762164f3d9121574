/**
 * Colours of C classes. Up to eight come from Okabe and Ito's palette, told apart by colour-blind readers
 * too; more are spread over the hues by the golden angle, and then only neighbours on the map and the
 * tooltips tell which is which.
 */
export function classColours(classes: number): string[] {
  const palette = ["#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#a6761d", "#8c5fd0"];
  return Array.from({ length: classes }, (_, c) =>
    classes <= palette.length
      ? palette[c]!
      : `hsl(${Math.round((c * 137.508) % 360)} ${c % 2 ? 55 : 75}% ${[45, 58, 52][c % 3]}%)`,
  );
}
