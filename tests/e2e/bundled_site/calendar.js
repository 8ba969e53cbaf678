// A date, written out.
import { h } from "preact";
import dayjs from "dayjs";
export { default as sheet } from "./calendar.css";
export const release = "@RELEASE@";

const date = dayjs("1995-03-01").add(1, "month").format("D MMMM YYYY");
export const Page = () => h("time", null, date);
