/** What Streamlit gives to a component, version 2: https://docs.streamlit.io/develop/concepts/custom-components */
export interface StreamlitComponent<Data> {
  key: string;
  data: Data;
  parentElement: HTMLElement | ShadowRoot;
  setStateValue: (name: string, value: unknown) => void;
  setTriggerValue: (name: string, value: unknown) => void;
}

/** Called again with new data whenever the page runs; what it returns is called at the end. */
export type Mount<Data> = (component: StreamlitComponent<Data>) => (() => void) | void;
