import { createContext } from "react";

/** Of which node a port is. */
export const NodeContext = createContext<{ node: string }>({ node: "" });
