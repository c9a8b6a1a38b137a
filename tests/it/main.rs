//! The program and its parts as a user meets them: one test binary, one module a subject. What needs readers, tokens,
//! programs of others or a process of its own has a binary of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../support/blank.rs"]
mod blank;
#[path = "../calc_support/mod.rs"]
mod calc_support;
#[path = "../support/canary.rs"]
mod canary;
#[path = "../support/chip_data.rs"]
mod chip_data;
#[path = "../support/emv_card.rs"]
mod emv_card;
#[path = "../support/leak_desk.rs"]
mod leak_desk;
#[path = "../ledger_support/mod.rs"]
mod ledger_support;
#[path = "../live_keys/mod.rs"]
mod live_keys;
#[path = "../order_support/mod.rs"]
mod order_support;
#[path = "../policy_support/mod.rs"]
mod policy_support;
#[path = "../support/prepared.rs"]
mod prepared;
#[path = "../support/proof.rs"]
mod proof;
#[path = "../run_support/mod.rs"]
mod run_support;
#[path = "../support/scll.rs"]
mod scll_support;
#[path = "../scripted/mod.rs"]
mod scripted;
#[path = "../support/stranger.rs"]
mod stranger;
#[path = "../support/mod.rs"]
mod support;

mod advice;
mod answers;
mod architecture;
mod bad_input;
mod bad_records;
mod ca;
mod calc;
mod calc_docs;
mod calc_leak;
mod canaries;
mod card_apdu;
mod catalogue;
mod channel_matrix;
mod claimed_files;
mod config;
mod config_names;
mod configuration;
mod contactless;
mod cps_packing;
mod cps_worked_example;
mod crash;
mod demo;
mod explain_auth;
mod faults;
mod file_kinds;
mod files;
mod foreign_emv;
mod foreign_scll;
mod host_commands;
mod hostile;
mod init_lab;
mod jobs;
mod json_outputs;
mod kept_record;
mod key_commands;
mod key_limits;
mod key_policy;
mod keys_needed;
mod leak;
mod leak_broken;
mod leak_keys;
mod leak_orders;
mod leak_prepare;
mod ledger_commands;
mod ledger_fold;
mod ledger_intake;
mod ledger_kills;
mod ledger_properties;
mod ledger_sqlite;
mod ledger_stores;
mod ledger_worker;
mod live_leak;
mod look;
mod look_program;
mod mutations;
mod odd_cards;
mod offline;
mod order_d1;
mod order_examined;
mod order_fields;
mod order_generated;
mod order_jwe;
mod order_others;
mod order_rules;
mod order_traps;
mod pool;
mod power_cuts;
mod prepare;
mod prepare_blocks;
mod prepare_refusals;
mod prepare_values;
mod program;
mod read_back;
mod readme;
mod remedies;
mod replay;
mod rough_handling;
mod rules;
mod rules_prepared;
mod sample_card;
mod sample_orders;
mod scripts;
mod shell;
mod signals;
mod sim_card;
mod sim_contactless;
mod sim_emv;
mod sim_issuer;
mod sim_t0;
mod site_rules;
mod trace_replay;
mod traps;
mod use_case;
mod verdicts;
mod verify;
mod verify_program;
mod version;
mod words;
