// Common emoji by their Slack names. Others are shown by name.
export const EMOJI = {
  "+1": "👍", "-1": "👎", "100": "💯", alarm_clock: "⏰", arrow_right: "➡️", arrow_up: "⬆️", arrow_down: "⬇️",
  arrow_up_down: "↕️", bell: "🔔", crescent_moon: "🌙", heavy_minus_sign: "➖", heavy_plus_sign: "➕",
  no_bell: "🔕", blue_heart: "💙", briefcase: "💼", bulb: "💡", bust_in_silhouette: "👤", busts_in_silhouette: "👥",
  calendar: "📅", chart_with_upwards_trend: "📈", clap: "👏", clock1: "🕐", construction: "🚧", eyes: "👀", fire: "🔥", gear: "⚙️",
  gem: "💎", globe_with_meridians: "🌐", green_heart: "💚", hammer_and_wrench: "🛠️", heart: "❤️", heavy_check_mark: "✔️",
  hourglass: "⌛", inbox_tray: "📥", information_source: "ℹ️", key: "🔑", label: "🏷️", large_blue_circle: "🔵",
  large_green_circle: "🟢", large_orange_circle: "🟠", large_red_square: "🟥", large_yellow_circle: "🟡", link: "🔗", lock: "🔒",
  loudspeaker: "📢", mag: "🔍", mailbox: "📫", mega: "📣", mute: "🔇", no_entry: "⛔", office: "🏢", outbox_tray: "📤", package: "📦",
  party_popper: "🎉", pencil2: "✏️", point_right: "👉", pushpin: "📌", question: "❓", raised_hands: "🙌", red_circle: "🔴",
  repeat: "🔁", rocket: "🚀", rotating_light: "🚨", seedling: "🌱", shrug: "🤷", smile: "😄", sparkles: "✨", speech_balloon: "💬",
  star: "⭐", tada: "🎉", thumbsup: "👍", thumbsdown: "👎", trophy: "🏆", unlock: "🔓", warning: "⚠️", wave: "👋",
  white_check_mark: "✅", white_circle: "⚪", wrench: "🔧", x: "❌", zap: "⚡", zzz: "💤",
};
