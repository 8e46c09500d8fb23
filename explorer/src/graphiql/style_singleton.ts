/**
 * In place of the package `react-style-singleton`, which adds <style> elements, and the page's Content-Security-Policy refuses those:
 * the same functions with style sheets that scripts construct.
 */
import { useEffect } from "react";

export function stylesheetSingleton() {
  const sheet = new CSSStyleSheet();
  let users = 0;
  return {
    add(text: string): void {
      users += 1;
      if (users > 1) return;
      sheet.replaceSync(text);
      document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
    },
    remove(): void {
      users -= 1;
      if (users === 0) document.adoptedStyleSheets = document.adoptedStyleSheets.filter((one) => one !== sheet);
    },
  };
}

export function styleHookSingleton() {
  const sheet = stylesheetSingleton();
  return function useStyle(text: string, _dynamic?: boolean): void {
    useEffect(() => {
      sheet.add(text);
      return () => sheet.remove();
    }, [text]);
  };
}

export function styleSingleton() {
  const useStyle = styleHookSingleton();
  return function Sheet({ styles, dynamic }: { styles: string; dynamic?: boolean }): null {
    useStyle(styles, dynamic);
    return null;
  };
}
